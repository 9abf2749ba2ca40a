import assert from "node:assert/strict";
import { DigestThread } from "../../src/indexer/digest_thread.ts";
import { InlineDigester } from "../../src/indexer/plain_digester.ts";
import { createRing, RingReader, RingWriter } from "../../src/indexer/record_ring.ts";
import { SeededRandom, withSeed } from "../codec/seeded_random.ts";

const { test } = Deno;

test("records come out of a ring as they went in, around its end and of every length", () => {
  withSeed((random) => {
    const ring = createRing(1024);
    const writer = new RingWriter(ring);
    const reader = new RingReader(ring);
    for (let round = 0; round < 5000; round++) {
      const records = Array.from({ length: 1 + random.below(2) }, (_, i) => ({
        type: round + i,
        bytes: random.bytes(random.below(200)),
      }));
      for (const { type, bytes } of records) writer.put(type, bytes);
      for (const { type, bytes } of records) {
        reader.take((foundType, found) => {
          assert.equal(foundType, type);
          assert.deepEqual([...found], [...bytes]);
        });
      }
    }
  });
});

test("a record of more than half the ring is a fault of the caller's", () => {
  const writer = new RingWriter(createRing(1024));
  writer.put(1, new Uint8Array(504));
  assert.throws(() => writer.put(1, new Uint8Array(505)), /half the ring/);
});

test("after the reader has given up, the writer never waits", () => {
  const ring = createRing(1024);
  const writer = new RingWriter(ring);
  new RingReader(ring).abandon();
  for (let i = 0; i < 100; i++) writer.put(i, new Uint8Array(500));
});

test("a thread comes to what digesting at once comes to, stream after stream", async () => {
  const thread = new DigestThread();
  const limits = { lagBytes: 100_000, maxSpanBytes: 400_000 };
  const random = new SeededRandom(5);
  try {
    for (let stream = 0; stream < 3; stream++) {
      const apart = thread.start(limits);
      const inline = new InlineDigester(limits);
      let written = 0;
      // Many times what the ring holds.
      for (let i = 0; i < 200; i++) {
        const bytes = random.bytes(1 + random.below(200_000));
        for (const digester of [apart, inline]) digester.write(bytes);
        written += bytes.length;
        if (i % 7 !== 0) continue;
        for (const digester of [apart, inline]) digester.checkpoint(written - (i % 2) * 150_000);
      }
      const expected = inline.finish();
      const actual = await apart.finish();
      assert.equal(actual.diffId, expected.diffId);
      assert.deepEqual(actual.accepted, expected.accepted);
      assert(actual.accepted.includes(false) && actual.accepted.includes(true));
      const plainSpans = (spans: typeof expected.spans) => spans.map((span) => ({ ...span, digest: [...span.digest] }));
      assert.deepEqual(plainSpans(actual.spans), plainSpans(expected.spans));
    }
  } finally {
    thread.close();
  }
});
