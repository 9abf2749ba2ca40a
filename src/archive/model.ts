/** What an archive says, apart from how it is laid out: the types that a writer takes and a reader gives. */
import type { ByteString, Digest } from "../base/mod.ts";
import type { SpanList } from "./span_list.ts";

/** A file's data in one layer, contiguous. */
export interface DataPlace {
  /** Number of the layer, 0 the lowest. */
  readonly layer: number;
  /** Offset of the first byte in the layer's plain stream. */
  readonly plainOffset: number;
}

/** A run of data in a sparse file. */
export interface Extent extends DataPlace {
  /** Offset of the first byte in the file. */
  readonly fileOffset: number;
  /** How many bytes, at least 1. */
  readonly lengthBytes: number;
}

/** What a directory holds, by name. A Map is one. */
export interface NodeChildren {
  /** How many. */
  readonly size: number;
  /** Their names, in any order. */
  keys(): Iterable<ByteString>;
  /** The node of a name: the same for all names of hard links. */
  get(name: ByteString): TreeNode | undefined;
}

/** A node of the merged tree. Two directory entries may hold the same node: they are hard links. */
export interface TreeNode {
  /** Type bits and 07777. */
  mode: number;
  /** Owner, 0 to 2^32−1. */
  uid: number;
  /** Group, 0 to 2^32−1. */
  gid: number;
  /** Whole seconds since 1970, rounded down; may be negative. */
  mtimeSeconds: number;
  /** 0 to 999,999,999. */
  mtimeNanoseconds: number;
  /** Of files; 0 otherwise. */
  sizeBytes: number;
  /** Of files with data: where it is, or the extents of a sparse file. */
  data: DataPlace | readonly Extent[] | undefined;
  /** Of symlinks; empty otherwise. */
  target: ByteString;
  /** Of devices; 0 otherwise. */
  deviceMajor: number;
  /** Of devices; 0 otherwise. */
  deviceMinor: number;
  /** Extended attributes by full name; undefined or empty where there are none. */
  xattrs: ReadonlyMap<ByteString, Uint8Array> | undefined;
  /** Of directories: children by name; undefined for anything else. */
  children: NodeChildren | undefined;
  /** True where no other directory entry leads here: the node may be made anew each time it is asked for. */
  hasOneName?: boolean;
}

/** A checkpoint as an archive keeps it: the window is packed. */
export interface StoredCheckpoint {
  /** A value of the codec's CheckpointKind. */
  readonly kind: number;
  /** Plain bytes of the layer before it. */
  readonly plainOffset: number;
  /** Compressed bits of the blob before it. */
  readonly compressedBitOffset: number;
  /** Whether a decoder that starts here reads a member or frame header first. */
  readonly atHeader: boolean;
  /** Where the header begins of the block that the place lies in; undefined between blocks. */
  readonly blockBitOffset: number | undefined;
  /** Plain bytes that the window ends with and the decoder does not make, 0 to 257. */
  readonly prefixBytes: number;
  /** The window and the block's header as `packWindow` packs them; empty where there is neither. */
  readonly packedWindow: Uint8Array;
}

/** A run of a layer's plain bytes that is verified, cached and shared as a unit. */
export interface Span {
  /** Where it begins in the layer's plain stream; it ends where the next begins, or with the layer. */
  readonly plainOffset: number;
  /** Index, among the layer's checkpoints, of the one that a decoder starts from: the last at or before the span. */
  readonly checkpoint: number;
  /**
   * Compressed bytes, from the one that holds the checkpoint's first bit on, that make all plain bytes to the end of the
   * span; 0: those up to the next checkpoint.
   */
  readonly compressedBytes: number;
  /** The 32 bytes of the sha256 of its plain bytes. */
  readonly digest: Uint8Array;
}

/** A layer as the image names it and as the scan found it. */
export interface LayerInfo {
  /** Digest of the blob (or the diffId, where the source knows no blob digests). */
  readonly digest: Digest;
  /** Digest of the plain stream. */
  readonly diffId: Digest;
  /** As the manifest gives it. */
  readonly mediaType: string;
  /** Name of the codec. */
  readonly codec: string;
  /** Length of the blob. */
  readonly compressedBytes: number;
  /** Length of the plain stream. */
  readonly plainBytes: number;
  /** How many checkpoints it has, the final one included. */
  readonly checkpoints: number;
  /** How many spans it has; 0 where it has no plain bytes. */
  readonly spans: number;
}

/** How the index was made. Part of the archive, so that equal input and options give equal bytes. */
export interface IndexOptionsInfo {
  /** How checkpoints were chosen. */
  readonly strategy: string;
  /** Aim of the spacing between checkpoints, in plain bytes. */
  readonly spacingBytes: number;
  /** Files of at least this many bytes get a checkpoint before them; null: none do. */
  readonly fileCheckpointBytes: number | null;
}

/** What the image section says. */
export interface ImageInfo {
  /** Where the layers can be fetched: a pinned image reference in text. */
  readonly source: string;
  /** What the image runs on, in the words of its config. */
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
  /** Digest of the manifest section. */
  readonly manifestDigest: Digest;
  /** As the registry or the layout gives it. */
  readonly manifestMediaType: string;
  /** Digest of the config section. */
  readonly configDigest: Digest;
  /** How the index was made. */
  readonly options: IndexOptionsInfo;
  /** Bottom first. */
  readonly layers: readonly LayerInfo[];
}

/** All that goes into an archive. */
export interface ArchiveContents {
  /** The image section but for its layers. */
  readonly image: Omit<ImageInfo, "layers">;
  /** Verbatim: the digest in `image` is of these bytes. */
  readonly manifest: Uint8Array;
  /** Verbatim: the digest in `image` is of these bytes. */
  readonly config: Uint8Array;
  /** Bottom first; their data places in `root` are numbers in this list. */
  readonly layers: readonly {
    readonly info: Omit<LayerInfo, "checkpoints" | "spans">;
    /** At least 2, ascending: the start and the final one. */
    readonly checkpoints: readonly StoredCheckpoint[];
    /** Ascending, the first at 0; none where the layer has no plain bytes. */
    readonly spans: SpanList;
  }[];
  /** The root directory. */
  readonly root: TreeNode;
}
