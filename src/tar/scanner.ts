import { type ByteString, ClipError, CorruptError, displayByteString } from "../base/mod.ts";
import type { SparseRun, TarEntry } from "./entry.ts";
import { ExtendedHeaders, isExtendedType } from "./extended_headers.ts";
import {
  BLOCK_BYTES,
  checkChecksum,
  HEADER,
  headerFormat,
  isZeroBlock,
  readNumber,
  readTypeflag,
  SPARSE_EXTENSION,
} from "./header.ts";
import { TAR_LIMITS, type TarLimits } from "./limits.ts";
import { SPARSE_MAP } from "./pax.ts";
import { type EntryDraft, isKnownType, readEntry } from "./read_entry.ts";
import { SparseDataMap, SparseMap } from "./sparse.ts";

/** What a tar scan is asked to do. */
export interface TarScanOptions {
  /**
   * Each entry, once all of its headers (and its sparse map, where it has one in its data) have been pushed and before
   * any of its contents.
   */
  onEntry(entry: TarEntry): void;
  /** Something odd but harmless; after MAX_WARNINGS no more are told. */
  onWarning?(message: string): void;
  /** Bounds that differ from TAR_LIMITS. */
  readonly limits?: Partial<TarLimits>;
}

/** How many warnings a scan tells, so that a hostile archive cannot fill a log. */
export const MAX_WARNINGS = 100;

/** What the next block or the next bytes are. */
const State = {
  header: 0,
  /** The data of an extended header. */
  extended: 1,
  /** A block that continues the sparse map of a GNU header. */
  sparseExtension: 2,
  /** A block of the sparse map that PAX format 1.0 puts before the data. */
  sparseDataMap: 3,
  /** After one zero block. */
  zeroBlock: 4,
  /** After the end of the archive: anything may follow, nothing is looked at. */
  ended: 5,
} as const;

/** Data that are no part of the tree: Solaris ACLs, inode and attribute files; GNU's volume label and old long names. */
const SKIPPED_TYPES = "AEINV";
/** GNU's directories with a list of names as data; of all others but files, a size says nothing: no data follow. */
const LISTED_DIRECTORY_TYPE = "D";

/**
 * Finds the entries of a tar stream that is pushed in pieces of any size. File contents are skipped, never held; what
 * is held of headers is bounded by the limits.
 *
 * It reads v7, ustar, star, PAX (local and global), GNU (long names, base-256 numbers) and all four forms of GNU's
 * sparse files. Where readers differ it does as Go's archive/tar, which the makers of layers use; but PAX global records
 * apply, and old sparse files and unknown types are read as GNU tar does.
 */
export class TarScanner {
  #options: TarScanOptions;
  #limits: TarLimits;
  #state: (typeof State)[keyof typeof State] = State.header;
  #plainOffset = 0;
  /** Bytes to skip before the state matters: contents, then padding of which the archive's end may lack. */
  #skipBytes = 0;
  #paddingBytes = 0;
  #block = new Uint8Array(BLOCK_BYTES);
  #blockFill = 0;
  /** Offset of the header last read. */
  #headerOffset = 0;
  #warnings = 0;

  #extended: ExtendedHeaders;
  #draft: EntryDraft | undefined;
  #sparseMap: SparseMap | undefined;
  #sparseDataMap: SparseDataMap | undefined;

  /** Starts at plain offset 0. */
  constructor(options: TarScanOptions) {
    this.#options = options;
    this.#limits = { ...TAR_LIMITS, ...options.limits };
    this.#extended = new ExtendedHeaders(this.#limits);
  }

  /** How many bytes have been pushed. */
  get plainOffset(): number {
    return this.#plainOffset;
  }

  /**
   * The plain offset up to which bytes are needed before the scan can tell of anything new: the end of the next block of
   * a header. Infinity once the archive has ended.
   */
  get nextStop(): number {
    if (this.#state === State.ended) return Infinity;
    if (this.#skipBytes > 0) return this.#plainOffset + this.#skipBytes + BLOCK_BYTES;
    if (this.#state === State.extended) return this.#plainOffset + this.#extended.missingBytes;
    return this.#plainOffset + BLOCK_BYTES - this.#blockFill;
  }

  /**
   * The next bytes of the stream; they may be reused by the caller afterwards.
   * @throws {CorruptError} at the first header that cannot be; its offset is the header's. The scan is over then.
   * @throws {ClipError} `unsupported` for a part of a multi-volume archive.
   */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const before = at;
      const left = bytes.length - at;
      if (this.#state === State.ended) {
        at = bytes.length;
      } else if (this.#skipBytes > 0) {
        const count = Math.min(this.#skipBytes, left);
        this.#skipBytes -= count;
        at += count;
      } else if (this.#state === State.extended) {
        at = this.#extended.fill(bytes, at);
      } else {
        const count = Math.min(BLOCK_BYTES - this.#blockFill, left);
        this.#block.set(bytes.subarray(at, at + count), this.#blockFill);
        this.#blockFill += count;
        at += count;
      }
      this.#plainOffset += at - before;
      this.#settle();
    }
  }

  /**
   * Says that the stream ends here.
   * @throws {CorruptError} where it ends within a header or a file's contents.
   */
  finish(): void {
    if (this.#state === State.ended) return;
    if (this.#skipBytes > this.#paddingBytes) throw this.#truncated("data");
    if (this.#skipBytes === 0 && this.#blockFill > 0) {
      this.#headerOffset = this.#plainOffset - this.#blockFill;
      throw this.#truncated("header");
    }
    if (this.#state === State.extended && this.#skipBytes === 0) throw this.#truncated("extended header");
    if (this.#state === State.sparseExtension || this.#state === State.sparseDataMap) {
      throw this.#truncated("sparse map");
    }
    this.#warnOfUnusedExtensions();
    const what = this.#state === State.zeroBlock
      ? "ends after one zero block, not two"
      : "has no end-of-archive blocks";
    this.#warn(`the archive ${what}`);
  }

  /** Acts on a block or an extended header that is complete. */
  #settle(): void {
    if (this.#state === State.extended) {
      if (this.#extended.isFull) this.#takeExtended();
    } else if (this.#blockFill === BLOCK_BYTES) {
      this.#blockFill = 0;
      switch (this.#state) {
        case State.header:
        case State.zeroBlock:
          return this.#takeHeader();
        case State.sparseExtension:
          return this.#takeSparseExtension();
        case State.sparseDataMap:
          return this.#takeSparseDataMap();
      }
    }
  }

  #takeHeader(): void {
    const block = this.#block;
    this.#headerOffset = this.#plainOffset - BLOCK_BYTES;
    if (isZeroBlock(block)) {
      if (this.#state === State.header) this.#warnOfUnusedExtensions();
      this.#state = this.#state === State.zeroBlock ? State.ended : State.zeroBlock;
      return;
    }
    // GNU tar stops here with a warning and Go's reader with an error: so the rest cannot be trusted to be seen.
    if (this.#state === State.zeroBlock) throw this.#bad("end of archive", "a lone zero block", "two");
    checkChecksum(block, this.#headerOffset);
    const typeflag = readTypeflag(block);
    if (isExtendedType(typeflag)) return this.#startExtended(typeflag);
    if (typeflag === "M") {
      const text = `tar: header at byte ${this.#headerOffset} continues a file of another volume: ` +
        "multi-volume archives are not supported";
      throw new ClipError("unsupported", text);
    }
    if (SKIPPED_TYPES.includes(typeflag)) return this.#skipUnread(typeflag);
    const draft = readEntry({
      block,
      typeflag,
      headerOffset: this.#headerOffset,
      extensions: this.#extended,
      limits: this.#limits,
    });
    this.#extended.clear();
    if (!isKnownType(typeflag)) {
      this.#warn(`${quote(draft.path)} has the unknown type ${quote(typeflag)}: read as a regular file`);
    }
    const hasData = draft.kind === "file" || typeflag === LISTED_DIRECTORY_TYPE;
    if (!hasData && draft.dataBytes > 0) {
      this.#warn(`${quote(draft.path)}, of type ${quote(typeflag)}, has a size of ${draft.dataBytes}: ignored`);
    }
    if (typeflag === "S") this.#startGnuSparse(draft);
    else if (draft.kind === "file") this.#startFile(draft);
    else this.#emit(draft, { skipBytes: hasData ? draft.dataBytes : 0 });
  }

  /** A header whose data, and itself, are of no meaning to clip. */
  #skipUnread(typeflag: string): void {
    const sizeBytes = this.#headerSize();
    this.#warn(`header of type ${quote(typeflag)} at byte ${this.#headerOffset} is skipped`);
    // A volume label is no entry; a Solaris ACL is one more extended header of the entry to come.
    this.#skipData(sizeBytes);
  }

  #startFile(draft: EntryDraft): void {
    const { pax } = draft;
    const version = `${pax.get("GNU.sparse.major") ?? ""}.${pax.get("GNU.sparse.minor") ?? ""}`;
    if (version === "1.0") {
      this.#draft = draft;
      this.#sparseDataMap = new SparseDataMap(this.#newMap());
      this.#state = State.sparseDataMap;
      return;
    }
    const list = pax.get(SPARSE_MAP);
    if (version !== "." && version !== "0.0" && version !== "0.1") {
      throw this.#bad("GNU.sparse version", quote(version), "0.0, 0.1 or 1.0");
    }
    if (list === undefined) {
      // A file that is all hole has no runs at all in format 0.0.
      const isAllHole = pax.number("GNU.sparse.numblocks") === 0;
      return isAllHole ? this.#emitSparse(draft, this.#newMap(), draft.dataBytes) : this.#emit(draft);
    }
    const map = this.#newMap();
    map.addList(list, pax.number("GNU.sparse.numblocks"));
    this.#emitSparse(draft, map, draft.dataBytes);
  }

  #startGnuSparse(draft: EntryDraft): void {
    const block = this.#block;
    if (headerFormat(block) !== "gnu") throw this.#bad("magic", "type S outside GNU's format", "GNU's magic");
    const sizeBytes = readNumber(block, HEADER.gnuRealSize, this.#headerOffset);
    if (sizeBytes < 0) throw this.#bad(HEADER.gnuRealSize.name, sizeBytes, "0 to 9007199254740991");
    this.#draft = { ...draft, sizeBytes };
    this.#sparseMap = this.#newMap();
    this.#sparseMap.addFields(block, HEADER.gnuSparse, this.#headerOffset);
    this.#continueGnuSparse(block[HEADER.gnuIsExtended.at]!);
  }

  #takeSparseExtension(): void {
    this.#sparseMap!.addFields(this.#block, SPARSE_EXTENSION.sparse, this.#plainOffset - BLOCK_BYTES);
    this.#continueGnuSparse(this.#block[SPARSE_EXTENSION.isExtended.at]!);
  }

  #continueGnuSparse(isExtended: number): void {
    if (isExtended !== 0) {
      this.#state = State.sparseExtension;
      return;
    }
    const draft = this.#draft!;
    const sparse = this.#sparseMap!.finish({ sizeBytes: draft.sizeBytes, storedBytes: draft.dataBytes });
    this.#emit(draft, { sparse });
  }

  #takeSparseDataMap(): void {
    const draft = this.#draft!;
    const mapBytes = this.#plainOffset - this.#headerOffset - BLOCK_BYTES;
    if (mapBytes > draft.dataBytes) throw this.#bad("sparse map", `map beyond the ${draft.dataBytes} bytes of data`);
    if (!this.#sparseDataMap!.pushBlock(this.#block)) return;
    this.#emitSparse(draft, this.#sparseDataMap!.map, draft.dataBytes - mapBytes);
  }

  /** Emits a sparse file of a PAX format. */
  #emitSparse(draft: EntryDraft, map: SparseMap, storedBytes: number): void {
    const { pax } = draft;
    const sizeBytes = pax.number("GNU.sparse.realsize") ?? pax.number("GNU.sparse.size");
    if (sizeBytes === undefined) throw this.#bad("GNU.sparse.size", "nothing", "the size of a sparse file");
    const sparse = map.finish({ sizeBytes, storedBytes });
    this.#emit({ ...draft, sizeBytes, storedBytes }, { sparse, skipBytes: storedBytes });
  }

  #newMap(): SparseMap {
    return new SparseMap(this.#headerOffset, this.#limits.sparseRuns);
  }

  #emit(
    draft: EntryDraft,
    { sparse, skipBytes = draft.storedBytes }: { sparse?: readonly SparseRun[]; skipBytes?: number } = {},
  ): void {
    this.#draft = undefined;
    this.#sparseMap = undefined;
    this.#sparseDataMap = undefined;
    const { pax: _pax, dataBytes: _dataBytes, ...rest } = draft;
    this.#skipData(skipBytes);
    this.#options.onEntry({ ...rest, dataPlainOffset: this.#plainOffset, sparse });
  }

  /** Skips `sizeBytes` of data and their padding; a header follows. */
  #skipData(sizeBytes: number): void {
    this.#state = State.header;
    this.#paddingBytes = (BLOCK_BYTES - sizeBytes % BLOCK_BYTES) % BLOCK_BYTES;
    this.#skipBytes = sizeBytes + this.#paddingBytes;
    if (!Number.isSafeInteger(this.#plainOffset + this.#skipBytes)) {
      throw this.#bad("size", sizeBytes, "an end before 2^53");
    }
  }

  #headerSize(): number {
    const sizeBytes = readNumber(this.#block, HEADER.size, this.#headerOffset);
    if (sizeBytes < 0) throw this.#bad("size", sizeBytes, "0 to 9007199254740991");
    return sizeBytes;
  }

  #startExtended(typeflag: string): void {
    this.#extended.start({ typeflag, sizeBytes: this.#headerSize(), headerOffset: this.#headerOffset });
    this.#state = State.extended;
    this.#settle(); // Its data may be empty.
  }

  #takeExtended(): void {
    this.#skipData(this.#extended.finish());
    this.#skipBytes = this.#paddingBytes; // The data have been taken.
  }

  #warnOfUnusedExtensions(): void {
    if (this.#extended.clear()) this.#warn("the last extended header is followed by no entry");
  }

  #warn(message: string): void {
    if (++this.#warnings <= MAX_WARNINGS) this.#options.onWarning?.(`tar: ${message}`);
  }

  #bad(field: string, actual: string | number, expected?: string): CorruptError {
    const details = { subject: "tar", field, offset: this.#headerOffset, actual };
    return new CorruptError(expected === undefined ? details : { ...details, expected });
  }

  #truncated(field: string): CorruptError {
    return this.#bad(field, `the end of the stream at byte ${this.#plainOffset}`);
  }
}

function quote(text: ByteString): string {
  return `"${displayByteString(text.slice(0, 200))}"`;
}
