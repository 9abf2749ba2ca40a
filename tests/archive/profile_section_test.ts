/** The profile of an archive: put in, taken out, and hostile ones. */
import assert from "node:assert/strict";
import {
  encodeProfile,
  HEADER,
  HEADER_BYTES,
  MAX_PROFILE_RANGES,
  PROFILE_RANGE,
  PROFILE_RANGE_BYTES,
  type ProfileRange,
  SECTION,
  SECTION_BYTES,
  SECTION_NAMES,
  tableDigest,
  withProfile,
} from "../../src/archive/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import { join, sampleArchive } from "./model_builder.ts";
import { openAndVerify, refuses, sectionsOf, signedArchive } from "./signed.ts";

const { test } = Deno;
const SAMPLE = sampleArchive();
const ROW = HEADER_BYTES + SECTION_NAMES.length * SECTION_BYTES;
const { layers } = await openAndVerify(SAMPLE);
const [first, second] = layers.layerPlainBytes as [number, number];
/** Not ascending, overlapping, to the very end of a layer. */
const RANGES: ProfileRange[] = [
  { layer: 1, plainOffset: 10, plainEndExclusive: second },
  { layer: 0, plainOffset: first - 1, plainEndExclusive: first },
  { layer: 1, plainOffset: 0, plainEndExclusive: 20 },
];

const put = async (archive: Uint8Array, ranges: readonly ProfileRange[]) =>
  join(await Array.fromAsync(withProfile(memoryRangeSource(archive, "some.clip"), ranges)));

test("a profile is put in, replaced and taken out; all else stays as it is", async () => {
  const profiled = await put(SAMPLE, RANGES);
  const archive = await openAndVerify(profiled);
  assert.deepEqual(archive.profile, RANGES);
  assert.notEqual(archive.id, (await openAndVerify(SAMPLE)).id);
  assert.deepEqual(sectionsOf(profiled), sectionsOf(SAMPLE));
  assert.deepEqual(await put(SAMPLE, RANGES), profiled, "equal profiles, equal bytes");
  assert.deepEqual((await openAndVerify(await put(profiled, RANGES.slice(1)))).profile, RANGES.slice(1));
  assert.deepEqual(await put(profiled, []), SAMPLE);
  assert.deepEqual(await put(SAMPLE, []), SAMPLE);
  assert.deepEqual((await openAndVerify(SAMPLE)).profile, []);
});

test("a damaged archive gets no profile", async () => {
  for (let at = 0; at < SAMPLE.length; at += 37) {
    const bytes = SAMPLE.slice();
    bytes[at]! ^= 0x20;
    await assert.rejects(put(bytes, RANGES), /archive some\.clip: bad |format version/, `byte ${at}`);
  }
});

test("each field of a range is checked", async () => {
  const profile = (change: (view: DataView) => void) => {
    const bytes = encodeProfile(RANGES);
    change(new DataView(bytes.buffer));
    return signedArchive({ ...sectionsOf(SAMPLE), profile: bytes });
  };
  const at = (index: number, field: keyof typeof PROFILE_RANGE) =>
    index * PROFILE_RANGE_BYTES + PROFILE_RANGE[field].at;
  await openAndVerify(profile(() => {}));
  for (const layer of [3, 2 ** 31, 2 ** 32 - 1]) {
    await refuses(profile((view) => view.setUint32(at(0, "layer"), layer, true)), /^profile\[0\]\.layer$/);
  }
  for (const offset of [BigInt(first), 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n]) {
    await refuses(
      profile((view) => view.setBigUint64(at(1, "plainOffset"), offset, true)),
      /^profile\[1\]\.plainOffset$/,
    );
  }
  for (const length of [0n, 2n, 2n ** 53n - 1n, 2n ** 64n - 1n]) {
    await refuses(
      profile((view) => view.setBigUint64(at(1, "lengthBytes"), length, true)),
      /^profile\[1\]\.lengthBytes$/,
    );
  }
  await refuses(profile((view) => view.setUint32(at(2, "reserved"), 1, true)), /^profile\[2\]\.reserved$/);
});

test("a profile of no ranges, of too many, or cut short", async () => {
  const sections = sectionsOf(SAMPLE);
  const one = encodeProfile(RANGES.slice(0, 1));
  const many = new Uint8Array((MAX_PROFILE_RANGES + 1) * PROFILE_RANGE_BYTES);
  for (let at = 0; at < many.length; at += one.length) many.set(one, at);
  const most = many.subarray(one.length).slice();
  assert.equal((await openAndVerify(signedArchive({ ...sections, profile: most }))).profile.length, MAX_PROFILE_RANGES);
  await refuses(signedArchive({ ...sections, profile: many }), /^profile plain length$/);
  for (const profile of [new Uint8Array(0), most.slice(0, 23), most.slice(0, 25)]) {
    await refuses(signedArchive({ ...sections, profile }), /^profile section length$/);
  }
});

test("the row of a profile is checked as the others are, and a fourteenth section is refused where there are no data", async () => {
  const profiled = await put(SAMPLE, RANGES);
  const resigned = (change: (view: DataView<ArrayBuffer>) => void) => {
    const bytes = profiled.slice();
    const view = new DataView(bytes.buffer);
    change(view);
    const rows = view.getUint32(HEADER.sectionCount.at, true);
    const table = bytes.subarray(HEADER_BYTES, HEADER_BYTES + Math.min(rows, 13) * SECTION_BYTES);
    bytes.set(tableDigest(bytes.subarray(0, HEADER_BYTES), table), HEADER.tableDigest.at);
    return bytes;
  };
  await openAndVerify(resigned(() => {}));
  for (const id of [0, 12, 14]) await refuses(resigned((view) => view.setUint32(ROW, id, true)), /^profile id$/);
  await refuses(resigned((view) => view.setUint32(ROW + SECTION.encoding.at, 2, true)), /^profile encoding$/);
  const offset = ROW + SECTION.offset.at;
  await refuses(resigned((view) => view.setUint32(offset, view.getUint32(offset, true) + 8, true)), /^profile offset$/);
  await refuses(resigned((view) => view.setUint8(ROW + SECTION.digest.at, 1)), /^profile section digest$/);
  const count = (rows: number) => resigned((view) => view.setUint32(HEADER.sectionCount.at, rows, true));
  await refuses(count(14), /^section count$/);
  await refuses(count(11), /^section count$/);
  await refuses(count(12), /^image offset$/);
  await refuses(profiled.slice(0, 880), /^length$/);
});
