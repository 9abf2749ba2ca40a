import { KIB, MIB } from "../base/mod.ts";

/** Bounds on what one entry may make a scanner hold; each guards memory against hostile archives. */
export interface TarLimits {
  /** One extended header's data: PAX records, a GNU long name. */
  readonly extendedHeaderBytes: number;
  /** Length of PAX global records in force together: they cost time at each entry that follows. */
  readonly globalRecordBytes: number;
  /** How many of them there may be. */
  readonly globalRecords: number;
  /** All extended headers before one entry, their own blocks included. */
  readonly extendedBytesPerEntry: number;
  /** A path or link target. */
  readonly pathBytes: number;
  /** Extended attributes of an entry. */
  readonly xattrs: number;
  /** The name of one. */
  readonly xattrNameBytes: number;
  /** The value of one. */
  readonly xattrValueBytes: number;
  /** Runs of data in a sparse file. */
  readonly sparseRuns: number;
}

/**
 * The bounds that hold unless others are given. Go's archive/tar, by which most layers are made and all are read,
 * allows 1 MiB for an extended header too; Linux bounds xattrs (limits.h: 255 and 65,536 bytes) and paths (4,096).
 */
export const TAR_LIMITS: TarLimits = {
  extendedHeaderBytes: MIB,
  globalRecordBytes: 64 * KIB,
  globalRecords: 256,
  extendedBytesPerEntry: 4 * MIB,
  pathBytes: 4 * 4096,
  xattrs: 1000,
  xattrNameBytes: 255,
  xattrValueBytes: 65536,
  sparseRuns: 1 << 17,
};
