import { checkRange } from "./check_range.ts";
import type { ByteRange, RangeSource, StreamOptions } from "./range_source.ts";

/** A part of another source, as a source. */
export class PartRangeSource implements RangeSource {
  readonly description: string;
  readonly sizeBytes: number;
  readonly #whole: RangeSource;
  readonly #offset: number;

  /** Reads nothing yet. @param range Where it is in `whole`, which has to have it. @param description What it is, for messages. */
  constructor(whole: RangeSource, range: ByteRange, description: string) {
    checkRange(range, whole.sizeBytes);
    this.description = description;
    this.sizeBytes = range.endExclusive - range.offset;
    this.#whole = whole;
    this.#offset = range.offset;
  }

  /** What {@linkcode RangeSource} says of `readRange`. */
  // deno-lint-ignore require-await -- async, so that every failure is a rejection
  async readRange(range: ByteRange, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(range, this.sizeBytes);
    return this.#whole.readRange(this.#inWhole(range), signal);
  }

  /** What {@linkcode RangeSource} says of `stream`. */
  async *stream(
    { offset = 0, endExclusive = this.sizeBytes, signal }: StreamOptions = {},
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    checkRange({ offset, endExclusive }, this.sizeBytes);
    yield* this.#whole.stream({ ...this.#inWhole({ offset, endExclusive }), signal });
  }

  #inWhole({ offset, endExclusive }: ByteRange): ByteRange {
    return { offset: this.#offset + offset, endExclusive: this.#offset + endExclusive };
  }
}
