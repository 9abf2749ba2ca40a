import assert from "node:assert/strict";
import { ReadAhead } from "../../src/content/read_ahead.ts";
import type { LayerTables } from "../../src/archive/mod.ts";

const { test } = Deno;
const MIB = 1024 * 1024;

/** One layer of so many spans of so many bytes. */
function layerOf(spans: number, spanBytes: number): LayerTables {
  const spanOffsets = Float64Array.from({ length: spans }, (_, i) => i * spanBytes);
  const spanEnd = (_: number, span: number) => (span + 1) * spanBytes;
  return { spanOffsets, spanEnd, spanCheckpoint: (_: number, span: number) => span } as unknown as LayerTables;
}

/** A reader who goes from `first` to `end` and tells of misses and triggers only; the windows that it was given. */
function goThrough(ahead: ReadAhead, inode: number, first: number, end: number, endSpan = end): [number, number][] {
  const windows: [number, number][] = [];
  const atHand = new Set<number>();
  let trigger = -1;
  for (let span = first; span < end; span++) {
    if (atHand.has(span) && span !== trigger) continue;
    const range = ahead.touch(inode, 0, span, endSpan);
    if (range === undefined) continue;
    windows.push([range.firstSpan, range.endSpan]);
    trigger = range.firstSpan;
    for (let next = range.firstSpan; next < range.endSpan; next++) atHand.add(next);
  }
  return windows;
}

test("windows double, adjoin and end with the file", () => {
  const ahead = new ReadAhead(layerOf(100, MIB));
  const windows = goThrough(ahead, 7, 10, 60);
  assert.deepEqual(windows.slice(0, 4), [[12, 13], [13, 15], [15, 19], [19, 27]]);
  let end = 12;
  for (const window of windows) {
    assert.equal(window[0], end);
    assert(window[1] - window[0] <= 16, "16 MiB at most");
    end = window[1];
  }
  assert.equal(end, 60);
});

test("windows are bounded by bytes; a span larger than the bound is one all the same", () => {
  const ahead = new ReadAhead(layerOf(40, 20 * MIB));
  assert(goThrough(ahead, 7, 0, 40).every(([first, end]) => end === first + 1));
});

test("who jumps about, or stays where he is, is given nothing", () => {
  const ahead = new ReadAhead(layerOf(1000, MIB));
  for (const span of [500, 3, 400, 77, 77, 77, 900, 2, 600]) assert.equal(ahead.touch(7, 0, span, 1000), undefined);
});

test("who stops is given no more", () => {
  const ahead = new ReadAhead(layerOf(1000, MIB));
  goThrough(ahead, 7, 0, 20, 1000);
  for (let i = 0; i < 5; i++) assert.equal(ahead.touch(7, 0, 19, 1000), undefined);
});

test("many readers, of one file and of several, are followed each by itself", () => {
  const ahead = new ReadAhead(layerOf(10_000, MIB));
  const readers = Array.from({ length: 30 }, (_, i) => ({ inode: 1 + (i % 3), span: i * 300, windows: 0 }));
  for (let step = 0; step < 10; step++) {
    for (const reader of readers) {
      const range = ahead.touch(reader.inode, 0, reader.span, 10_000);
      if (range !== undefined) {
        assert(range.firstSpan > reader.span && range.endSpan < reader.span + 100);
        reader.windows++;
      }
      // On to where it has to wait, or is waited for.
      reader.span = range?.firstSpan ?? reader.span + 1;
    }
  }
  assert(readers.every(({ windows }) => windows >= 4), readers.map(({ windows }) => windows).join());
});
