import assert from "node:assert/strict";
import { crc32, inflateRawSync } from "node:zlib";
import { equalBytes } from "../../src/base/mod.ts";
import { WINDOW_GROUP_BYTES } from "../../src/archive/mod.ts";
import { type WindowGroup, WindowGroups } from "../../src/archive/window_groups.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";

/** Groups records of these lengths; checks that each is found where it is said to be. */
function groupsOf(lengths: readonly number[]): WindowGroup[] {
  const random = new SeededRandom(testSeed());
  const groups = new WindowGroups();
  const records = lengths.map((length) => random.bytes(length));
  const places = new Map<Uint8Array, { group: WindowGroup; windowOffset: number }>();
  for (const record of records) {
    groups.add(record, (group, windowOffset) => places.set(record, { group, windowOffset }));
  }
  const section = groups.finish();
  const found = new Set<WindowGroup>();
  for (const record of records) {
    const place = places.get(record);
    if (record.length === 0) {
      assert.equal(place, undefined, "an empty record has no place");
      continue;
    }
    const { group, windowOffset } = place!;
    found.add(group);
    const plain = inflateRawSync(section.subarray(group.offset, group.offset + group.storedBytes));
    assert.equal(plain.length, group.plainBytes);
    assert.equal(crc32(plain) >>> 0, group.crc32);
    assert.ok(equalBytes(plain.subarray(windowOffset, windowOffset + record.length), record));
  }
  let next = 0;
  for (const group of found) {
    assert.equal(group.offset, next, "groups lie end to end");
    next += group.storedBytes;
  }
  assert.equal(next, section.length);
  return [...found];
}

Deno.test("no records, no section", () => {
  assert.deepEqual(groupsOf([]), []);
  assert.deepEqual(groupsOf([0, 0]), []);
});

Deno.test("records share a group as long as it does not outgrow its length", () => {
  assert.equal(groupsOf([1]).length, 1);
  assert.deepEqual(groupsOf([WINDOW_GROUP_BYTES - 1, 0, 1]).map(({ plainBytes }) => plainBytes), [WINDOW_GROUP_BYTES]);
  assert.deepEqual(groupsOf([WINDOW_GROUP_BYTES - 1, 2]).map(({ plainBytes }) => plainBytes), [
    WINDOW_GROUP_BYTES - 1,
    2,
  ]);
  const many = groupsOf(Array.from({ length: 500 }, (_, i) => i * 37 % 1500));
  assert.ok(many.length > 10 && many.every(({ plainBytes }) => plainBytes <= WINDOW_GROUP_BYTES));
});

Deno.test("a record that is longer has a group to itself", () => {
  const lengths = [10, 40_000, 20, 65_536, 65_536, 30];
  assert.deepEqual(groupsOf(lengths).map(({ plainBytes }) => plainBytes), lengths);
});
