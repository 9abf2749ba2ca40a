import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import { equalBytes } from "../../src/base/mod.ts";
import { inflateInto } from "../../src/archive/inflate_into.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";

function packed(plain: Uint8Array): Uint8Array {
  return new Uint8Array(deflateRawSync(plain));
}

Deno.test("inflates what fits exactly, of any length", async () => {
  const random = new SeededRandom(testSeed());
  for (const length of [0, 1, 63, 64, 65, 65_536, 1 << 20, (1 << 20) + 1, 3_000_000]) {
    const plain = random.bytes(length).map((byte) => byte & 15);
    const target = new Uint8Array(new SharedArrayBuffer(length));
    await inflateInto(packed(plain), target);
    assert.ok(target.every((byte, at) => byte === plain[at]), `${length} bytes`);
  }
});

Deno.test("says what is wrong", async () => {
  const plain = new Uint8Array(1000);
  const cases: [Uint8Array, RegExp][] = [
    [packed(plain.subarray(1)), /^999 bytes$/],
    [packed(new Uint8Array(1001)), /^more than 1000 bytes$/],
    [packed(new Uint8Array(5_000_000)), /^more than 1000 bytes$/],
    [packed(plain).subarray(0, -1), /unexpected end of file/],
    [new Uint8Array(0), /unexpected end of file/],
    [Uint8Array.of(7, 7, 7), /invalid block type/],
  ];
  for (const [bytes, message] of cases) {
    await assert.rejects(inflateInto(bytes, new Uint8Array(1000)), { message });
  }
  await assert.rejects(inflateInto(packed(plain), new Uint8Array(0)), /more than 0 bytes/);
});

Deno.test("several at once do not disturb each other", async () => {
  const random = new SeededRandom(testSeed());
  const plains = Array.from({ length: 20 }, () => random.bytes(random.below(300_000)));
  const targets = plains.map((plain) => new Uint8Array(plain.length));
  await Promise.all(plains.map((plain, i) => inflateInto(packed(plain), targets[i]!)));
  plains.forEach((plain, i) => assert.ok(equalBytes(targets[i]!, plain)));
});
