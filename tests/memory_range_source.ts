import { ClipError, type RangeSource } from "../src/base/mod.ts";

/** Length of the pieces of a stream: small, so that tests of small things see several. */
const PIECE_BYTES = 4096;

/**
 * The bytes of `bytes` as a source, without delay. They are not copied: a later change shows in later reads.
 * Ranges that are not inside throw a ClipError of code `internal`, as only a bug asks for them.
 */
export function memoryRangeSource(bytes: Uint8Array, description = "memory"): RangeSource {
  const slice = (offset: number, endExclusive: number) => {
    if (!(offset >= 0 && offset <= endExclusive && endExclusive <= bytes.length)) {
      throw new ClipError("internal", `${description}: no range ${offset}–${endExclusive} in ${bytes.length} bytes`);
    }
    return new Uint8Array(bytes.subarray(offset, endExclusive));
  };
  return {
    description,
    sizeBytes: bytes.length,
    // deno-lint-ignore require-await -- so that a bad range rejects rather than throws
    async readRange({ offset, endExclusive }, signal) {
      signal?.throwIfAborted();
      return slice(offset, endExclusive);
    },
    async *stream({ offset = 0, endExclusive = bytes.length, signal } = {}) {
      slice(offset, endExclusive);
      for (let at = offset; at < endExclusive; at += PIECE_BYTES) {
        signal?.throwIfAborted();
        yield slice(at, Math.min(at + PIECE_BYTES, endExclusive));
      }
    },
  };
}
