/** Keeps the plain bytes of layers that have been fetched and verified. */
import type { Digest } from "../base/mod.ts";

/** Names one layer, as one archive cuts it into spans. */
export interface LayerKey {
  /** Digest of the plain layer. */
  readonly diffId: Digest;
  /** Length of the plain layer. */
  readonly plainBytes: number;
  /** Number of spans. */
  readonly spans: number;
  /** Stands for where the spans begin: archives that cut a layer alike share what is known to be present. */
  readonly partition: string;
}

/**
 * What a cache has to know of who opened a layer, so that it can take single spans away from under it when it has to
 * make room.
 */
export interface LayerUse {
  /** Plain offsets where spans begin, and at last where the layer ends: one more than there are spans. */
  readonly spanOffsets: Float64Array;
  /** One byte a span, not 0 where it was read since the cache set it to 0. Over shared memory. */
  readonly touched: Uint8Array;
  /**
   * Has all who read the file by themselves leave spans alone: true once nobody reads them, nor will before `has` says
   * again that they are present and they have been verified again; false where that cannot be had at once. Never throws.
   */
  retire(spans: readonly number[]): boolean;
}

/**
 * The cached spans of one layer. Spans are numbered from 0 in the layer. Being present is a hint, not a proof: another
 * process or a disk may have damaged the bytes, so a reader verifies a span's digest before its first use.
 */
export interface LayerCache {
  /** A file that holds the layer's plain bytes at their own offsets, for readers that do without this object. */
  readonly dataPath: string | undefined;
  /**
   * A path that opens the very file at `dataPath`, even when that name has gone to another file since. Good in this
   * process alone, and until `close`.
   */
  readonly openPath: string | undefined;
  /** Whether the span was written whole, by anybody; false too where that cannot be found out. Never throws. */
  has(span: number): boolean;
  /** Fills `target` with the bytes from `plainOffset` on; false where the cache does not hold that many or cannot be read; `target` is then undefined. Never throws. */
  read(plainOffset: number, target: Uint8Array): boolean;
  /**
   * Keeps a span: first its bytes, then the note that it is present.
   * @throws {ClipError} `limit` where there is no room, which the cache tells of by itself; `io` when it cannot else.
   */
  write(span: number, plainOffset: number, bytes: Uint8Array): void;
  /**
   * Makes room for spans, [firstSpan, endSpan), that the caller is going to write to the file at `openPath` itself, at
   * their own offsets, maybe in another thread: inflating threads write what they made. False, and none is admitted, where
   * they cannot be kept. Never throws.
   */
  admit(firstSpan: number, endSpan: number): boolean;
  /**
   * Notes that spans, [firstSpan, endSpan), are present which were admitted and have been written so. False where they are
   * not to be relied on: one was not admitted, or was released before this, so that its bytes may have been taken away, or
   * they cannot be noted. Never throws.
   */
  note(firstSpan: number, endSpan: number): boolean;
  /** Takes back the note that a span is present, where that can be done. Never throws. */
  forget(span: number): void;
  /**
   * Takes the machine-wide right to fetch a span: true until `release`, `close` or the end of the process, however it
   * ends; false while somebody else has it, who will write the span or let go. Granted where that cannot be found out,
   * and to an object that has it. After a grant look at `has` again: who held it before may just have written the span.
   * Never throws, never waits.
   */
  claim(span: number): boolean;
  /** Gives a claim back, and room that was made for a span and has not been used. Never throws. */
  release(span: number): void;
  /** Lets go of files, and of claims. Afterwards nothing is present and writing fails; a second call does nothing. */
  close(): void;
}

/** A place where layers are cached. */
export interface SpanCache {
  /** For messages. */
  readonly description: string;
  /**
   * The spans of a layer. With `use`, this counts as a use of the layer, and spans of it may be taken away to make room, but only while another span is being
   * admitted or written through an object of this cache, before that returns; else they stay until `close`.
   * @throws {ClipError} `io` when they cannot be kept there.
   */
  openLayer(key: LayerKey, use?: LayerUse): LayerCache;
}
