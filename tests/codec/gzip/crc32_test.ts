import assert from "node:assert/strict";
import { crc32 as nativeCrc32 } from "node:zlib";
import { crc32 } from "../../../src/codec/gzip/crc32.ts";
import { SeededRandom } from "../seeded_random.ts";

Deno.test("crc32: continues from any sum, also once its caller is optimised", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789"), 0), 0xcbf43926);
  const bytes = new SeededRandom(1).bytes(1000);
  const expected = nativeCrc32(bytes);
  // Deno 2.4's own goes wrong after some 10,000 calls.
  for (let round = 0; round < 100_000; round++) {
    const cut = round % 1001;
    assert(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut), 0)) === expected, `round ${round}`);
  }
});
