import { createHash, type Hash } from "node:crypto";
import type { Span } from "../archive/mod.ts";

/**
 * Cuts a plain stream into spans and digests each.
 *
 * A span begins at every checkpoint, but a codec may name a checkpoint after the bytes behind it have gone by (the
 * block end before a large file is known only once the file's header has been read). So the newest `lagBytes` are held
 * back, undigested. Where no checkpoint comes for long (one deflate block may make gigabytes), a span is closed
 * without one, so that no span outgrows `maxSpanBytes`: its reader starts at the checkpoint before.
 */
export class SpanDigester {
  /** The spans so far; complete after `finish`. */
  readonly spans: Span[] = [];
  #hash: Hash | undefined;
  #held: Uint8Array;
  #heldBytes = 0;
  /** Plain offset of the first byte that is held back. */
  #digestedTo = 0;
  #spanStart = 0;
  #spanCheckpoint = 0;
  #checkpoints = 0;
  #lagBytes: number;
  #maxSpanBytes: number;

  /** @param options `lagBytes`: how late a checkpoint may be named; `maxSpanBytes`: at least twice the spacing. */
  constructor({ lagBytes, maxSpanBytes }: { lagBytes: number; maxSpanBytes: number }) {
    this.#lagBytes = lagBytes;
    this.#maxSpanBytes = maxSpanBytes;
    this.#held = new Uint8Array(2 * lagBytes);
  }

  /** The next plain bytes, copied. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + this.#lagBytes);
      if (this.#heldBytes + piece.length > this.#held.length) this.#release(this.#heldBytes - this.#lagBytes);
      this.#held.set(piece, this.#heldBytes);
      this.#heldBytes += piece.length;
      at += piece.length;
    }
  }

  /**
   * A further checkpoint, in ascending order of offsets. Returns whether a span begins there: false where the bytes
   * behind it have been digested already, which a caller answers by leaving the checkpoint out.
   */
  checkpoint(plainOffset: number): boolean {
    if (plainOffset < this.#digestedTo) return false;
    if (plainOffset > this.#digestedTo) this.#release(plainOffset - this.#digestedTo);
    this.#closeSpan();
    this.#spanCheckpoint = this.#checkpoints++;
    return true;
  }

  /** Closes the last span. */
  finish(): void {
    this.#release(this.#heldBytes);
    this.#closeSpan();
  }

  /** Digests the first `bytes` of what is held, closing spans that grow too long. */
  #release(bytes: number): void {
    let at = 0;
    while (at < bytes) {
      const room = this.#maxSpanBytes - (this.#digestedTo - this.#spanStart);
      if (room === 0) {
        this.#closeSpan();
        continue;
      }
      const take = Math.min(room, bytes - at);
      this.#hash ??= createHash("sha256");
      this.#hash.update(this.#held.subarray(at, at + take));
      this.#digestedTo += take;
      at += take;
    }
    this.#held.copyWithin(0, bytes, this.#heldBytes);
    this.#heldBytes -= bytes;
  }

  #closeSpan(): void {
    if (this.#hash === undefined) return;
    this.spans.push({ plainOffset: this.#spanStart, checkpoint: this.#spanCheckpoint, digest: this.#hash.digest() });
    this.#hash = undefined;
    this.#spanStart = this.#digestedTo;
  }
}
