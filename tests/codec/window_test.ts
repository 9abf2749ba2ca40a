import assert from "node:assert/strict";
import { expandWindow, markedWindow, type Window } from "../../src/codec/window.ts";
import { SeededRandom } from "./seeded_random.ts";

/** What is marked, and gaps of up to three bytes, bit by bit. */
function expectedParts(history: Uint8Array, map: Uint8Array, keptLastBytes: number): [number, number][] {
  const parts: [number, number][] = [];
  const firstBit = map.length * 8 - history.length;
  for (let at = 0; at < history.length; at++) {
    const bit = firstBit + at;
    if ((map[bit >> 3]! >> (bit & 7) & 1) === 0 && at < history.length - keptLastBytes) continue;
    const last = parts.at(-1);
    if (last !== undefined && at - last[1] <= 3) last[1] = at + 1;
    else parts.push([at, at + 1]);
  }
  return parts;
}

function partsOf({ lengthBytes, runs }: Window, historyBytes: number): [number, number][] {
  const parts: [number, number][] = [];
  for (let i = 0; i < runs.length; i += 2) {
    const start = historyBytes - lengthBytes + runs[i]!;
    parts.push([start, start + runs[i + 1]!]);
  }
  return parts;
}

Deno.test("windows: what is marked is kept, parts that are near together, whatever the map", () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 400; round++) {
    const map = new Uint8Array(1 + random.below(300));
    const history = Uint8Array.from({ length: 1 + random.below(map.length * 8) }, () => 1 + random.below(255));
    const density = random.below(4) === 0 ? 0 : random.below(60);
    for (let i = 0; i < density; i++) {
      const start = random.below(map.length * 8);
      const end = Math.min(start + 1 + random.below(40), map.length * 8);
      for (let bit = start; bit < end; bit++) map[bit >> 3]! |= 1 << (bit & 7);
    }
    const keptLastBytes = random.below(3) === 0 ? random.below(history.length + 1) : 0;
    const window = markedWindow(history, map, keptLastBytes);
    const expected = expectedParts(history, map, keptLastBytes);
    assert.deepEqual(partsOf(window, history.length), expected);
    const expanded = expandWindow(window);
    for (const [start, end] of expected) {
      const at = window.lengthBytes - history.length;
      assert.deepEqual(expanded.slice(at + start, at + end), history.slice(start, end));
    }
  }
});
