import {
  type ByteString,
  ClipError,
  displayByteString,
  type PlacedFile,
  sha256,
  utf8ToByteString,
} from "../base/mod.ts";
import {
  type ArchiveContents,
  DataArchiveWriter,
  type Extent,
  MAX_TARGET_BYTES,
  packContents,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type TreeNode,
} from "../archive/mod.ts";
import { CHUNK_BYTES, type ChunkPlace, ChunkStream } from "./chunk_stream.ts";
import type { Compression } from "./compress_messages.ts";
import { type DataRun, type DiskStat, DiskTree, type OpenFile } from "./disk_tree.ts";

/** How to pack. */
export interface PackOptions {
  /** How chunks are compressed. */
  readonly compression: Compression;
  /** True: what other file systems hold below the directory is left out; the directories they lie on are kept. */
  readonly oneFileSystem: boolean;
  /** Ends it, with its reason. */
  readonly signal: AbortSignal;
  /** Told now and then. */
  readonly onProgress?: (progress: PackProgress) => void;
}

/** How far it has come. */
export interface PackProgress {
  /** Files and directories, each name. */
  readonly entries: number;
  /** Bytes of data read: those of files, holes not counted, of hard links once. */
  readonly readBytes: number;
  /** Bytes of data written. */
  readonly packedBytes: number;
}

/** What was packed. */
export interface PackedDirectory extends PackProgress {
  /** Bytes of data that are not in the archive twice. */
  readonly plainBytes: number;
  /** Length of the archive. */
  readonly archiveBytes: number;
}

/** A piece of a file's data and where it came to lie. */
interface PlacedPiece {
  readonly fileOffset: number;
  readonly lengthBytes: number;
  readonly place: ChunkPlace;
}

/** The event loop has a turn at least so often: signals, and threads that are done. */
const TURN_MS = 20;
/** What an archive that is made of no image says of one. */
const NO_IMAGE = {
  source: "",
  platform: { os: "linux", architecture: "unknown" },
  manifestDigest: sha256Of(""),
  manifestMediaType: "",
  configDigest: sha256Of(""),
};

/**
 * Packs the tree below `directory` into an archive that carries its data, which is written to `file`. The same tree
 * gives the same bytes, wherever it lies. Nothing is opened but directories and regular files.
 * @throws {ClipError} naming the file that cannot be read, or that changed while it was; the reason of the signal.
 */
export async function packDirectory(
  directory: string,
  file: PlacedFile,
  options: PackOptions,
): Promise<PackedDirectory> {
  const writer = new DataArchiveWriter(file, { hasProfile: false });
  const chunks = new ChunkStream(options.compression, (frame) => writer.add(frame));
  const packer = new DirectoryPacker(chunks, options);
  try {
    const root = await packer.pack(utf8ToByteString(directory));
    const layer = await chunks.finish();
    packer.placeData();
    const { codec, level } = options.compression;
    const contents: ArchiveContents = {
      image: {
        ...NO_IMAGE,
        options: { strategy: `${codec}-${level}`, spacingBytes: CHUNK_BYTES, fileCheckpointBytes: null },
      },
      manifest: new Uint8Array(0),
      config: new Uint8Array(0),
      layers: [layer],
      root,
    };
    const archiveBytes = await writer.finish(packContents(contents));
    return { ...packer.progress(), plainBytes: layer.info.plainBytes, archiveBytes };
  } finally {
    chunks.close();
    packer.close();
  }
}

function sha256Of(text: string): ReturnType<typeof sha256> {
  return sha256(new TextEncoder().encode(text));
}

/** The way through a tree, directory by directory in the order of names, each before what comes after it. */
class DirectoryPacker {
  #chunks: ChunkStream;
  #options: PackOptions;
  #disk = new DiskTree();
  /** Nodes of several names, by what tells the file from others. */
  #linked = new Map<string, TreeNode>();
  #unplaced: { readonly node: TreeNode; readonly pieces: readonly PlacedPiece[]; readonly isSparse: boolean }[] = [];
  #rootFileSystem = "";
  #entries = 0;
  #readBytes = 0;
  #lastTurnMs = performance.now();

  constructor(chunks: ChunkStream, options: PackOptions) {
    this.#chunks = chunks;
    this.#options = options;
  }

  async pack(path: ByteString): Promise<TreeNode> {
    const stat = this.#disk.stat(path);
    if ((stat.mode & S_IFMT) !== S_IFDIR) {
      throw new ClipError("io", `${displayByteString(path)}: it is not a directory`);
    }
    this.#rootFileSystem = stat.fileSystem;
    return await this.#directory(path, stat);
  }

  progress(): PackProgress {
    return { entries: this.#entries, readBytes: this.#readBytes, packedBytes: this.#chunks.blobBytes };
  }

  close(): void {
    this.#disk.close();
  }

  async #directory(path: ByteString, stat: DiskStat): Promise<TreeNode> {
    const children = new Map<ByteString, TreeNode>();
    const node = { ...this.#node(path, stat), hasOneName: true, children };
    // Of another file system, the directory that it lies on.
    if (this.#options.oneFileSystem && stat.fileSystem !== this.#rootFileSystem) return node;
    const below = path.endsWith("/") ? path : `${path}/`;
    for (const name of this.#disk.list(path)) {
      await this.#turn();
      children.set(name, await this.#child(`${below}${name}`));
    }
    this.#expectUnchanged(path, stat, this.#disk.stat(path));
    return node;
  }

  async #child(path: ByteString): Promise<TreeNode> {
    const stat = this.#disk.stat(path);
    this.#entries++;
    const type = stat.mode & S_IFMT;
    if (type === S_IFDIR) return await this.#directory(path, stat);
    const known = stat.nlink > 1 ? this.#linked.get(stat.id) : undefined;
    if (known !== undefined) return known;
    const node = this.#node(path, stat);
    if (stat.nlink > 1) this.#linked.set(stat.id, node);
    else node.hasOneName = true;
    if (type === S_IFREG) await this.#file(path, stat, node);
    else if (type === S_IFLNK) node.target = this.#target(path);
    else if (type === S_IFCHR || type === S_IFBLK) {
      node.deviceMajor = stat.deviceMajor;
      node.deviceMinor = stat.deviceMinor;
    }
    return node;
  }

  #node(path: ByteString, stat: DiskStat): TreeNode {
    return {
      mode: stat.mode,
      uid: stat.uid,
      gid: stat.gid,
      mtimeSeconds: stat.mtimeSeconds,
      mtimeNanoseconds: stat.mtimeNanoseconds,
      sizeBytes: 0,
      data: undefined,
      target: "",
      deviceMajor: 0,
      deviceMinor: 0,
      xattrs: this.#disk.attributes(path),
      children: undefined,
    };
  }

  #target(path: ByteString): ByteString {
    const target = this.#disk.readlink(path);
    if (target.length <= MAX_TARGET_BYTES) return target;
    throw new ClipError("limit", `${displayByteString(path)}: its target has more than ${MAX_TARGET_BYTES} bytes`);
  }

  async #file(path: ByteString, stat: DiskStat, node: TreeNode): Promise<void> {
    node.sizeBytes = stat.sizeBytes;
    if (stat.sizeBytes === 0) return;
    const file = this.#disk.open(path);
    try {
      this.#expectUnchanged(path, stat, file.stat());
      const isSparse = stat.blocks * 512 < stat.sizeBytes;
      const runs = isSparse ? file.dataRuns(stat.sizeBytes) : [{ offset: 0, lengthBytes: stat.sizeBytes }];
      const pieces: PlacedPiece[] = [];
      for (const run of runs) await this.#run(path, file, run, pieces);
      this.#expectUnchanged(path, stat, file.stat());
      this.#unplaced.push({ node, pieces, isSparse: isHoled(runs, stat.sizeBytes) });
    } finally {
      file.close();
    }
  }

  async #run(path: ByteString, file: OpenFile, { offset, lengthBytes }: DataRun, pieces: PlacedPiece[]): Promise<void> {
    file.seek(offset);
    const fill = (bytes: Uint8Array<ArrayBuffer>) => {
      if (file.read(bytes) < bytes.length) throw changed(path, "it became shorter");
      this.#readBytes += bytes.length;
    };
    for (let at = 0; at < lengthBytes; at += CHUNK_BYTES) {
      const take = Math.min(CHUNK_BYTES, lengthBytes - at);
      const place = lengthBytes <= CHUNK_BYTES
        ? await this.#chunks.addShort(take, fill)
        : await this.#chunks.addLong(take, fill);
      pieces.push({ fileOffset: offset + at, lengthBytes: take, place });
      await this.#turn();
    }
  }

  #expectUnchanged(path: ByteString, before: DiskStat, now: DiskStat): void {
    if (now.id !== before.id) throw changed(path, "another took its place");
    if (now.sizeBytes !== before.sizeBytes && (before.mode & S_IFMT) === S_IFREG) {
      throw changed(path, `it had ${before.sizeBytes} bytes, and then ${now.sizeBytes}`);
    }
    const hasChanged = now.changed !== before.changed || now.mtimeSeconds !== before.mtimeSeconds ||
      now.mtimeNanoseconds !== before.mtimeNanoseconds;
    if (hasChanged) throw changed(path, "it was written to");
  }

  /** Lets others have their turn now and then, and looks whether to go on. */
  async #turn(): Promise<void> {
    const now = performance.now();
    if (now - this.#lastTurnMs < TURN_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#lastTurnMs = performance.now();
    this.#options.signal.throwIfAborted();
    this.#options.onProgress?.(this.progress());
  }

  /** Once all chunks are complete: tells the files where their data are. */
  placeData(): void {
    for (const { node, pieces, isSparse } of this.#unplaced) {
      const extents = joinPieces(pieces);
      const [only] = extents;
      node.data = !isSparse && extents.length === 1 ? { layer: 0, plainOffset: only!.plainOffset } : extents;
    }
    this.#unplaced = [];
  }
}

function changed(path: ByteString, how: string): ClipError {
  return new ClipError("io", `${displayByteString(path)} changed while it was read: ${how}`);
}

function isHoled(runs: readonly DataRun[], sizeBytes: number): boolean {
  return runs.length !== 1 || runs[0]!.offset !== 0 || runs[0]!.lengthBytes !== sizeBytes;
}

/** Pieces that follow one another in the layer as well make one extent. */
function joinPieces(pieces: readonly PlacedPiece[]): Extent[] {
  const extents: { layer: number; fileOffset: number; plainOffset: number; lengthBytes: number }[] = [];
  for (const { fileOffset, lengthBytes, place } of pieces) {
    const plainOffset = place.chunk.plainOffset + place.offset;
    const last = extents.at(-1);
    const follows = last !== undefined && last.fileOffset + last.lengthBytes === fileOffset &&
      last.plainOffset + last.lengthBytes === plainOffset;
    if (follows) last.lengthBytes += lengthBytes;
    else extents.push({ layer: 0, fileOffset, plainOffset, lengthBytes });
  }
  return extents;
}
