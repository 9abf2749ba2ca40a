import assert from "node:assert/strict";
import { DigestThread, ThreadDigester } from "../../src/indexer/digest_thread.ts";
import { InlineDigester } from "../../src/indexer/plain_digester.ts";
import { createPlainRing, PlainRingReader, PlainRingWriter } from "../../src/indexer/plain_ring.ts";
import { SeededRandom, withSeed } from "../codec/seeded_random.ts";

const { test } = Deno;

test("bytes and checkpoints come out of a ring as they went in, around its end", () => {
  withSeed((random) => {
    const ring = createPlainRing(1000);
    const writer = new PlainRingWriter(ring);
    const reader = new PlainRingReader(ring);
    let end = 0;
    for (let round = 0; round < 2000; round++) {
      const bytes = random.bytes(1 + random.below(1000));
      const marks = Array.from({ length: random.below(3) }, () => random.below(2 ** 45));
      for (const mark of marks) writer.mark(mark);
      writer.write(bytes);
      writer.mark(round);
      writer.flush();
      const next = reader.next();
      assert.deepEqual(next, { written: end + bytes.length, ended: false });
      const found: number[] = [];
      reader.takeMarks((mark) => found.push(mark));
      assert.deepEqual(found, [...marks, round]);
      const inRing = Uint8Array.from(bytes, (_, i) => reader.bytes[(end + i) % 1000]!);
      assert.deepEqual(inRing, new Uint8Array(bytes));
      end = next.written;
      reader.release(end);
    }
    writer.end();
    assert.deepEqual(reader.next(), { written: end, ended: true });
  });
});

test("after the reader has given up, the writer never waits", () => {
  const ring = createPlainRing(1024);
  const writer = new PlainRingWriter(ring);
  new PlainRingReader(ring).abandon();
  for (let i = 0; i < 3000; i++) {
    writer.write(new Uint8Array(500));
    writer.mark(i);
  }
});

test("a thread comes to what digesting at once comes to, stream after stream", async () => {
  const failures: Error[] = [];
  const thread = new DigestThread((error) => failures.push(error));
  const digester = new ThreadDigester(thread.port);
  const limits = { lagBytes: 100_000, minSpanBytes: 20_000, maxSpanBytes: 400_000 };
  const random = new SeededRandom(5);
  try {
    // Until the Worker is up this thread must not block: it comes up by its help.
    assert.equal((await digester.start(limits).finish()).spans.length, 0);
    for (let stream = 0; stream < 3; stream++) {
      const apart = digester.start(limits);
      const inline = new InlineDigester(limits);
      let written = 0;
      // Many times what the ring holds.
      for (let i = 0; i < 200; i++) {
        const bytes = random.bytes(100_000 + random.below(100_000));
        for (const each of [apart, inline]) each.write(bytes);
        written += bytes.length;
        for (const each of [apart, inline]) each.cut(written);
        if (i % 7 !== 0) continue;
        for (const each of [apart, inline]) each.checkpoint(written - (i % 2) * 99_000);
      }
      const expected = inline.finish();
      assert(expected.spans.length > 30);
      assert.deepEqual(await apart.finish(), expected);
    }
  } finally {
    thread.close();
    thread.port.close();
  }
  assert.deepEqual(failures, []);
});
