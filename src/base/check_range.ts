import { assert } from "./assert.ts";
import type { ByteRange } from "./range_source.ts";

/** Throws unless `range` lies within `sizeBytes`: a bug of the caller's. */
export function checkRange({ offset, endExclusive }: ByteRange, sizeBytes: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(endExclusive);
  const inside = offset >= 0 && offset <= endExclusive && endExclusive <= sizeBytes;
  assert(whole && inside, `bytes ${offset} to ${endExclusive} asked of ${sizeBytes}`);
}
