import { checkRange } from "./check_range.ts";
import type { RangeSource } from "./range_source.ts";

/** Bytes in memory as a source; they are not copied before they are read. */
export function bytesSource(bytes: Uint8Array, description: string): RangeSource {
  const sizeBytes = bytes.length;
  const read = (range: { offset: number; endExclusive: number }, signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    checkRange(range, sizeBytes);
    return new Uint8Array(bytes.subarray(range.offset, range.endExclusive));
  };
  return {
    description,
    sizeBytes,
    // deno-lint-ignore require-await -- so that a bad range rejects rather than throws
    readRange: async (range, signal) => read(range, signal),
    async *stream({ offset = 0, endExclusive = sizeBytes, signal } = {}) {
      yield read({ offset, endExclusive }, signal);
    },
  };
}
