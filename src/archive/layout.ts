/**
 * Every constant of the `.clip` format; docs/format.md tells the same with reasons, and a test holds the two together.
 *
 * A file is a header, a table of sections and the sections, little-endian throughout; layers' blobs only where it
 * carries its data:
 *
 *     0   header          64 bytes
 *     64  section table   64 bytes a section
 *     …   sections        in table order, each at the next multiple of 8, zeros between
 *
 * The tree is kept in *columns*: one array of u32 a field, indexed by inode number. A column is a view on the section's
 * bytes, so that opening costs no parsing and no object a node, and equal neighbours deflate to nearly nothing.
 * Sections are deflated one by one; windows are not, since a cold read wants one of them, not all.
 */

/** Format version that this code writes and the only one it reads. */
export const FORMAT_VERSION = 1;

/** `\x89CLIP\r\n\x1a\n`: eight-bit and line-end damage show at once, as in PNG. */
export const MAGIC: readonly number[] = [0x89, 0x43, 0x4c, 0x49, 0x50, 0x0d, 0x0a, 0x1a, 0x0a];

/** A field of a record. */
export interface Field {
  /** Offset in the record. */
  readonly at: number;
  /** Length. */
  readonly bytes: number;
}

/** The file header. */
export const HEADER = {
  magic: { at: 0, bytes: 9 },
  reserved: { at: 9, bytes: 1 },
  formatVersion: { at: 10, bytes: 2 },
  sectionCount: { at: 12, bytes: 4 },
  fileBytes: { at: 16, bytes: 8 },
  flags: { at: 24, bytes: 8 },
  /** sha256 of header bytes 0–31 followed by the section table; it stands for the whole archive. */
  tableDigest: { at: 32, bytes: 32 },
} as const satisfies Record<string, Field>;
/** Length of the header in bytes. */
export const HEADER_BYTES = 64;

/** A row of the section table. */
export const SECTION = {
  id: { at: 0, bytes: 4 },
  encoding: { at: 4, bytes: 4 },
  offset: { at: 8, bytes: 8 },
  storedBytes: { at: 16, bytes: 8 },
  plainBytes: { at: 24, bytes: 8 },
  /** sha256 of the stored bytes. */
  digest: { at: 32, bytes: 32 },
} as const satisfies Record<string, Field>;
/** Length of a row of the section table in bytes. */
export const SECTION_BYTES = 64;

/** How a section's bytes are stored. */
export const Encoding = { stored: 0, deflate: 1 } as const;

/**
 * Section numbers. Every archive has each of the first twelve once, in this order. It may have `data`, which then comes
 * before them, and `profile`, which comes after them.
 */
export const SectionId = {
  image: 1,
  manifest: 2,
  config: 3,
  checkpoints: 4,
  windows: 5,
  spans: 6,
  inodes: 7,
  dirents: 8,
  names: 9,
  targets: 10,
  extents: 11,
  xattrs: 12,
  profile: 13,
  data: 14,
} as const;
/** Name of a section that every archive has. */
export type SectionName = Exclude<keyof typeof SectionId, "profile" | "data">;
/** The names of the sections that every archive has, in file order. */
export const SECTION_NAMES = Object.keys(SectionId).filter((name) =>
  name !== "profile" && name !== "data"
) as readonly SectionName[];

/** A checkpoint: layer after layer, ascending plain offsets in each. */
export const CHECKPOINT = {
  plainOffset: { at: 0, bytes: 8 },
  compressedBitOffset: { at: 8, bytes: 8 },
  /** Where the block's header begins that the place lies behind; 0 between blocks. */
  blockBitOffset: { at: 16, bytes: 8 },
  /** The group of windows that holds this one: where it is in the windows section, deflated and inflated length. */
  groupOffset: { at: 24, bytes: 8 },
  groupStoredBytes: { at: 32, bytes: 4 },
  groupPlainBytes: { at: 36, bytes: 4 },
  /** CRC-32 of the group once inflated: groups are read one by one, past the section's digest. */
  groupCrc32: { at: 40, bytes: 4 },
  /** The window record in the inflated group; its length is 0 where there is none. */
  windowOffset: { at: 44, bytes: 4 },
  windowBytes: { at: 48, bytes: 4 },
  /** Plain bytes that the window ends with and the decoder does not make, 0 to 257. */
  prefixBytes: { at: 52, bytes: 2 },
  kind: { at: 54, bytes: 1 },
  /** Bit 0: the decoder reads a member or frame header first. Bit 1: the place is inside a block. */
  flags: { at: 55, bytes: 1 },
} as const satisfies Record<string, Field>;
/** Length of a checkpoint record in bytes. */
export const CHECKPOINT_BYTES = 56;
/** Bits of {@linkcode CHECKPOINT}.flags. */
export const CHECKPOINT_AT_HEADER = 1;
/** See {@linkcode CHECKPOINT_AT_HEADER}. */
export const CHECKPOINT_IN_BLOCK = 2;
/** Longest prefix: a match less one byte. Source: RFC 1951 section 3.2.5. */
export const MAX_PREFIX_BYTES = 257;
/** Longest window record: a whole window in many parts, and a block's header. */
export const MAX_WINDOW_RECORD_BYTES = 16_777_216;
/** Longest block header: deflate's, 287, or the state between two blocks of zstd. */
export const MAX_BLOCK_HEADER_BYTES = 1_024;
/** A group of windows is closed once it holds this much; one cold read inflates one group. */
export const WINDOW_GROUP_BYTES = 16_384;
/** Highest kind of checkpoint; the kinds are those of the codecs. */
export const MAX_CHECKPOINT_KIND = 4;
/** Longest window: what zstd refers back to, as far as clip enters its frames; deflate's is 32,768. */
export const MAX_WINDOW_BYTES = 8_388_608;

/** A span: layer after layer, ascending; it ends where the next begins, or with the layer. */
export const SPAN = {
  plainOffset: { at: 0, bytes: 8 },
  /** Index, among the layer's checkpoints, of the last one at or before the span. */
  checkpoint: { at: 8, bytes: 4 },
  /** Compressed bytes from the checkpoint on that make it, the one with both their bits included; 0: up to the next. */
  compressedBytes: { at: 12, bytes: 4 },
  /** sha256 of the span's plain bytes. */
  digest: { at: 16, bytes: 32 },
} as const satisfies Record<string, Field>;
/** Length of a span record in bytes. */
export const SPAN_BYTES = 48;
/** The most compressed bytes from a checkpoint to a span's end that can be told. */
export const MAX_SPAN_COMPRESSED_BYTES = 0xffff_ffff;
/** Longest span an archive may claim: a reader holds one in memory. */
export const MAX_SPAN_BYTES = 256 * 1024 * 1024;

/** Sections made of columns begin with the number of entries (u32) and four zero bytes. */
export const COLUMNS_HEADER_BYTES = 8;

/**
 * Columns of the inodes section, in file order. Entry 0 of each is zero; entry 1 is the root.
 * What size, place and layer mean depends on the type in `mode`:
 *
 * | type       | size            | place low / high                    | layer          |
 * |------------|-----------------|-------------------------------------|----------------|
 * | file       | bytes           | plain offset of the data            | layer number   |
 * | sparse file| bytes           | first extent / number of extents    | SPARSE_LAYER   |
 * | directory  | 0               | first dirent / number of dirents    | 0              |
 * | symlink    | bytes of target | offset in the targets section       | 0              |
 * | device     | 0               | major / minor                       | 0              |
 */
export const INODE_COLUMNS = [
  "mode",
  "nlink",
  "uid",
  "gid",
  "mtimeLow",
  "mtimeHigh",
  "mtimeNanoseconds",
  "sizeLow",
  "sizeHigh",
  "placeLow",
  "placeHigh",
  "layer",
  "parent",
  "xattrs",
] as const;
/** Name of an inode column. */
export type InodeColumn = (typeof INODE_COLUMNS)[number];
/** Value of the layer column that marks a sparse file. */
export const SPARSE_LAYER = 0xffffffff;

/**
 * Columns of the dirents section: the children of a directory stand together, sorted by name (bytes).
 * The name of dirent i is bytes [nameStart[i], nameStart[i+1]) of the names section; nameStart has one entry more.
 */
export const DIRENT_COLUMNS = ["nameStart", "inode"] as const;

/** An extent of a sparse file: data at `fileOffset`; everything between extents reads as zeros. */
export const EXTENT = {
  fileOffset: { at: 0, bytes: 8 },
  plainOffset: { at: 8, bytes: 8 },
  lengthBytes: { at: 16, bytes: 8 },
  layer: { at: 24, bytes: 4 },
  reserved: { at: 28, bytes: 4 },
} as const satisfies Record<string, Field>;
/** Length of an extent record in bytes. */
export const EXTENT_BYTES = 32;

/**
 * The xattrs section is a row of sets, each at a multiple of 4 and named by its offset + 1 in the inodes' xattrs column
 * (0: none): u32 number of attributes, then for each u16 name bytes, u16 zero, u32 value bytes, name, value, and zeros
 * to the next multiple of 4. Names are sorted.
 */
export const XATTR = {
  nameBytes: { at: 0, bytes: 2 },
  reserved: { at: 2, bytes: 2 },
  valueBytes: { at: 4, bytes: 4 },
} as const satisfies Record<string, Field>;
/** Length of the fixed part of an attribute in bytes. */
export const XATTR_BYTES = 8;

/** A range of the profile: plain bytes of a layer, in order of first touch. Ranges may overlap. */
export const PROFILE_RANGE = {
  plainOffset: { at: 0, bytes: 8 },
  lengthBytes: { at: 8, bytes: 8 },
  layer: { at: 16, bytes: 4 },
  reserved: { at: 20, bytes: 4 },
} as const satisfies Record<string, Field>;
/** Length of a record of the profile in bytes. */
export const PROFILE_RANGE_BYTES = 24;
/** Most ranges of a profile: every other span of 32 GiB at their usual length. */
export const MAX_PROFILE_RANGES = 65_536;

/** Longest name of a directory entry: what Linux allows. */
export const MAX_NAME_BYTES = 255;
/** Most directories on the way to an inode. Linux takes paths of 4,096 bytes: at most 2,048 names from anywhere. */
export const MAX_DEPTH = 4096;
/** Longest target of a symlink: what Linux allows. */
export const MAX_TARGET_BYTES = 4095;
/** Longest name of an extended attribute. Source: include/uapi/linux/limits.h, XATTR_NAME_MAX. */
export const MAX_XATTR_NAME_BYTES = 255;
/** Longest value of an extended attribute. Source: include/uapi/linux/limits.h, XATTR_SIZE_MAX. */
export const MAX_XATTR_VALUE_BYTES = 65_536;

/** More layers than any image has; bounds what a hostile archive can make a reader allocate. */
export const MAX_LAYERS = 4096;
/** Longest image section, manifest and config. */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
/** All sections but windows together, plain: room for more than ten million files. */
export const MAX_PLAIN_BYTES = 1024 * 1024 * 1024;

/** The bits of a mode that hold the type; the values follow. Source: include/uapi/linux/stat.h. */
export const S_IFMT = 0o170000;
/** A regular file. */
export const S_IFREG = 0o100000;
/** A directory. */
export const S_IFDIR = 0o040000;
/** A symbolic link. */
export const S_IFLNK = 0o120000;
/** A character device. */
export const S_IFCHR = 0o020000;
/** A block device. */
export const S_IFBLK = 0o060000;
/** A named pipe. */
export const S_IFIFO = 0o010000;
/** A socket: no layer can hold one, but the type has a number. */
export const S_IFSOCK = 0o140000;

/** The next multiple of 8 at or after `offset`. */
export function align8(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}
