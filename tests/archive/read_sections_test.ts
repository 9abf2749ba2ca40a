import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import { ClipError, CorruptError, sha256Bytes } from "../../src/base/mod.ts";
import {
  CHECKPOINT,
  CHECKPOINT_BYTES,
  encodeSections,
  FORMAT_VERSION,
  HEADER,
  HEADER_BYTES,
  MAX_DOCUMENT_BYTES,
  openArchive,
  SECTION,
  SECTION_BYTES,
  SECTION_NAMES,
  type SectionName,
} from "../../src/archive/mod.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import { directory, join, openTree, sampleArchive } from "./model_builder.ts";
import { isRefusal, openAndVerify, refuses, resigned, rowAt, sectionsOf, signedArchive, tampered } from "./signed.ts";

const SAMPLE = sampleArchive();

Deno.test("any flipped byte is noticed by opening and verifying", async () => {
  await openAndVerify(SAMPLE);
  for (let at = 0; at < SAMPLE.length; at++) {
    const damaged = SAMPLE.slice();
    damaged[at]! ^= 1 << at % 8;
    await assert.rejects(openAndVerify(damaged), isRefusal, `byte ${at}`);
  }
});

Deno.test("any flipped bit of header and section table is noticed by opening alone", async () => {
  for (let bit = 0; bit < (HEADER_BYTES + SECTION_NAMES.length * SECTION_BYTES) * 8; bit += 3) {
    const damaged = SAMPLE.slice();
    damaged[bit >> 3]! ^= 1 << bit % 8;
    await assert.rejects(openArchive(memoryRangeSource(damaged)), isRefusal, `bit ${bit}`);
  }
});

Deno.test("a file cut short anywhere is noticed, whatever its length", async () => {
  for (let length = 0; length < SAMPLE.length; length += length < 900 ? 1 : 7) {
    await assert.rejects(openArchive(memoryRangeSource(SAMPLE.subarray(0, length))), CorruptError, `${length} bytes`);
  }
  await refuses(SAMPLE.subarray(0, 0), /^magic$/);
  await refuses(SAMPLE.subarray(0, 70), /^length$/);
  await refuses(SAMPLE.subarray(0, SAMPLE.length - 1), /^file length$/);
});

Deno.test("a file with something behind its end is noticed", async () => {
  for (const more of [1, 8, 4096]) await refuses(join([SAMPLE, new Uint8Array(more)]), /^file length$/);
});

Deno.test("what is no archive is called that", async () => {
  const error = await refuses(new TextEncoder().encode("#!/bin/sh\necho hello\n"), /^magic$/);
  assert.match(error.message, /found 35, expected 137: this is not a .clip file/);
});

Deno.test("another version is told, with what to do", async () => {
  const version = (number: number) => resigned(SAMPLE, (view) => view.setUint16(10, number, true));
  for (const [number, advice] of [[FORMAT_VERSION + 1, "use a newer clip"], [0, "index the image again"]] as const) {
    for (const bytes of [version(number), version(number).subarray(0, 64)]) {
      await assert.rejects(openAndVerify(bytes), (error) => {
        assert.ok(error instanceof ClipError && error.code === "unsupported");
        assert.equal(
          error.message,
          `some.clip: format version ${number}, this clip reads ${FORMAT_VERSION}: ${advice}`,
        );
        return true;
      });
    }
  }
});

Deno.test("each field of the header is checked, digests right", async () => {
  await refuses(resigned(SAMPLE, (view) => view.setUint8(HEADER.reserved.at, 1)), /^reserved byte$/);
  await refuses(resigned(SAMPLE, (view) => view.setUint32(HEADER.sectionCount.at, 14, true)), /^section count$/);
  await refuses(resigned(SAMPLE, (view) => view.setUint32(HEADER.flags.at + 4, 1, true)), /^flags$/);
  await refuses(resigned(SAMPLE, (view) => view.setBigUint64(HEADER.flags.at, 1n << 60n, true)), /^flags$/);
  await refuses(resigned(SAMPLE, (view) => view.setBigUint64(HEADER.fileBytes.at, 1n << 63n, true)), /^file length$/);
  const long = resigned(SAMPLE, (view) => view.setUint32(HEADER.fileBytes.at, SAMPLE.length + 8, true));
  await refuses(long, /^file length$/);
  await refuses(join([long, new Uint8Array(8)]), /^end of the last section$/);
  const unsigned = SAMPLE.slice();
  unsigned[HEADER.tableDigest.at]! ^= 1;
  await refuses(unsigned, /^header digest$/);
});

Deno.test("each field of the section table is checked, digests right", async () => {
  const huge = [2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n];
  const set = (name: SectionName, field: "offset" | "storedBytes" | "plainBytes", value: bigint) =>
    resigned(SAMPLE, (view) => view.setBigUint64(rowAt(name) + SECTION[field].at, value, true));
  for (const name of SECTION_NAMES) {
    const own = new RegExp(`^(${name} (id|encoding|offset|storedBytes|plainBytes|plain length)|end of|\\w+ offset)`);
    for (const value of [0, 13]) {
      await refuses(resigned(SAMPLE, (view) => view.setUint32(rowAt(name), value, true)), new RegExp(`^${name} id$`));
    }
    const encoding = rowAt(name) + SECTION.encoding.at;
    await refuses(resigned(SAMPLE, (view) => view.setUint32(encoding, 2, true)), new RegExp(`^${name} encoding$`));
    for (const value of [...huge, 0n, 831n, 833n]) {
      await refuses(set(name, "offset", value), new RegExp(`^${name} offset$`));
    }
    for (const value of huge) {
      await refuses(set(name, "storedBytes", value), own);
      await refuses(set(name, "plainBytes", value), own);
    }
  }
  await refuses(resigned(SAMPLE, (view) => view.setUint32(rowAt("windows") + 4, 1, true)), /^windows encoding$/);
});

Deno.test("a section whose digest is wrong, and bytes between sections, are told by name", async () => {
  const view = new DataView(SAMPLE.buffer);
  for (const name of SECTION_NAMES) {
    const offset = Number(view.getBigUint64(rowAt(name) + SECTION.offset.at, true));
    const storedBytes = Number(view.getBigUint64(rowAt(name) + SECTION.storedBytes.at, true));
    const damaged = SAMPLE.slice();
    if (storedBytes > 0) {
      damaged[offset]! ^= 0x80;
      const error = await refuses(damaged, new RegExp(`^${name} section digest$`));
      assert.equal(error.details.offset, offset);
      damaged[offset]! ^= 0x80;
    }
    if (storedBytes % 8 !== 0) {
      damaged[offset + storedBytes] = 1;
      const error = await refuses(damaged, new RegExp(`^padding after the ${name} section$`));
      assert.equal(error.details.offset, offset + storedBytes);
    }
  }
});

Deno.test("sections that are not deflate data, or of another length than is said", async () => {
  const stored = (archive: DataView<ArrayBuffer>, name: SectionName) =>
    new Uint8Array(archive.buffer, Number(archive.getBigUint64(rowAt(name) + SECTION.offset.at, true)));
  await refuses(resigned(SAMPLE, (view) => stored(view, "inodes").fill(0xff, 0, 16)), /^inodes section$/);
  for (const change of [-1, 1]) {
    const other = resigned(SAMPLE, (view) => {
      const at = rowAt("inodes") + SECTION.plainBytes.at;
      view.setUint32(at, view.getUint32(at, true) + change, true);
    });
    const error = await refuses(other, /^inodes section$/);
    assert.match(error.message, /found (more than )?\d+ bytes, expected \d+ bytes of deflated data/);
  }
});

/** An archive whose section `name` is `packed`, and said to hold `plainBytes`. */
function withPacked(name: SectionName, packed: Uint8Array, plainBytes: number): Uint8Array {
  const sections = sectionsOf(SAMPLE);
  sections[name] = new Uint8Array(0);
  const pieces = encodeSections(sections);
  const index = SECTION_NAMES.indexOf(name);
  pieces[2 + index * 2] = packed;
  pieces[3 + index * 2] = new Uint8Array((8 - packed.length % 8) % 8);
  const grown = packed.length + pieces[3 + index * 2]!.length;
  return resigned(join(pieces), (view) => {
    view.setUint32(rowAt(name) + SECTION.encoding.at, 1, true);
    view.setUint32(rowAt(name) + SECTION.storedBytes.at, packed.length, true);
    view.setUint32(rowAt(name) + SECTION.plainBytes.at, plainBytes, true);
    for (const later of SECTION_NAMES.slice(index + 1)) {
      const at = rowAt(later) + SECTION.offset.at;
      view.setUint32(at, view.getUint32(at, true) + grown, true);
    }
    view.setUint32(HEADER.fileBytes.at, view.byteLength, true);
  });
}

Deno.test("a deflate bomb is stopped where the section should end", async () => {
  const packed = new Uint8Array(deflateRawSync(new Uint8Array(100 << 20)));
  for (const name of ["inodes", "names", "manifest"] as const) {
    const before = Deno.memoryUsage().rss;
    const error = await refuses(withPacked(name, packed, 5000), new RegExp(`^${name} section$`));
    assert.match(error.message, /found more than 5000 bytes/);
    const grownMib = (Deno.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grownMib < 64, `memory grew by ${grownMib} MiB`);
  }
});

Deno.test("claims that no deflate data can keep, and documents of no sane length, are refused unread", async () => {
  const packed = new Uint8Array(deflateRawSync(new Uint8Array(100 << 20)));
  await refuses(withPacked("inodes", packed, packed.length * 1032 + 1), /^inodes plain length$/);
  for (const name of ["image", "manifest", "config"] as const) {
    await refuses(withPacked(name, packed, MAX_DOCUMENT_BYTES + 1), new RegExp(`^${name} plain length$`));
  }
  await refuses(withPackedTwice(), /^xattrs plain length$/);
});

/** Two sections that may be as long as they say, but not both: together more than 1 GiB. */
function withPackedTwice(): Uint8Array {
  const sections = sectionsOf(SAMPLE);
  sections.extents = sections.xattrs = new SeededRandom(1).bytes(600_000); // which deflate cannot shorten
  return resigned(signedArchive(sections), (view) => {
    for (const name of ["extents", "xattrs"] as const) {
      view.setUint32(rowAt(name) + SECTION.encoding.at, 1, true);
      view.setUint32(rowAt(name) + SECTION.plainBytes.at, 550_000_000, true);
    }
  });
}

Deno.test("the sections lie end to end, each at a multiple of 8", async () => {
  const { table } = await openTree(directory());
  let next = HEADER_BYTES + SECTION_NAMES.length * SECTION_BYTES;
  for (const name of SECTION_NAMES) {
    assert.equal(table.sections[name].offset, next);
    next = Math.ceil((next + table.sections[name].storedBytes) / 8) * 8;
  }
});

Deno.test("a source whose arrays begin inside their buffers is read right", async () => {
  const source = memoryRangeSource(SAMPLE);
  const shifted = {
    ...source,
    readRange: async (range: { offset: number; endExclusive: number }) => {
      const bytes = await source.readRange(range);
      const wide = new Uint8Array(bytes.length + 13);
      wide.set(bytes, 13);
      return wide.subarray(13);
    },
  };
  const archive = await openArchive(shifted);
  await archive.verify();
  assert.equal(archive.table.sections.image.digest.length, 32);
});

Deno.test("manifest and config must have the digests that the image section gives", async () => {
  for (const name of ["manifest", "config"] as const) {
    const other = tampered(SAMPLE, (sections) => sections[name][3]! ^= 1);
    const archive = await openArchive(memoryRangeSource(other, "some.clip"));
    const message = new RegExp(`^some.clip: ${name}: digest mismatch: found sha256:`);
    await assert.rejects(archive[name](), { name: "DigestMismatchError", message });
    await assert.rejects(archive.verify(), isRefusal);
  }
});

Deno.test("a window that is damaged under a right section digest is told by its number", async () => {
  const sound = await openArchive(memoryRangeSource(SAMPLE));
  const index = 1;
  const { groupOffset, groupStoredBytes } = sound.layers.checkpoint(index);
  assert.ok(groupStoredBytes > 0);
  const damage = (at: number, byte: number) =>
    tampered(SAMPLE, (sections) => sections.windows[groupOffset + at]! ^= byte);
  await refuses(damage(0, 0x06), /^window of checkpoint 1$/);
  const other = tampered(SAMPLE, (sections) => {
    // Other windows of the same length: well-formed, but not these.
    const view = new DataView(sections.checkpoints.buffer);
    const at = index * CHECKPOINT_BYTES + CHECKPOINT.groupCrc32.at;
    view.setUint32(at, view.getUint32(at, true) ^ 1, true);
  });
  assert.match((await refuses(other, /^window of checkpoint 1$/)).message, /found CRC-32 \d+, expected \d+/);
});

Deno.test("digests of sections are sha256 of their stored bytes", () => {
  const view = new DataView(SAMPLE.buffer);
  const at = rowAt("names");
  const offset = view.getUint32(at + SECTION.offset.at, true);
  const stored = SAMPLE.subarray(offset, offset + view.getUint32(at + SECTION.storedBytes.at, true));
  assert.deepEqual(SAMPLE.slice(at + 32, at + 64), new Uint8Array(sha256Bytes(stored)));
});
