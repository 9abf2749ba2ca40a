/** docs/format.md says what src/archive/layout.ts does, and the header of layer indexes. */
import assert from "node:assert/strict";
import * as archive from "../../src/archive/mod.ts";
import { COLUMN_COUNTS } from "../../src/archive/encode_tree.ts";
import { LAYER_INDEX_HEADER, LAYER_INDEX_HEADER_BYTES } from "../../src/indexer/layer_index.ts";
import { sampleArchive } from "./model_builder.ts";
import { sectionsOf } from "./signed.ts";

const LINES = Deno.readTextFileSync(new URL("../../docs/format.md", import.meta.url)).split("\n");

/** The records of the format: where the document tells of them, their fields and length. */
const RECORDS: readonly { heading: string; fields: Readonly<Record<string, archive.Field>>; bytes: number }[] = [
  { heading: "### Header (64 bytes)", fields: archive.HEADER, bytes: archive.HEADER_BYTES },
  { heading: "### Section table (64 bytes a row)", fields: archive.SECTION, bytes: archive.SECTION_BYTES },
  { heading: "### `checkpoints` (56 bytes a record)", fields: archive.CHECKPOINT, bytes: archive.CHECKPOINT_BYTES },
  { heading: "### `spans` (48 bytes a record)", fields: archive.SPAN, bytes: archive.SPAN_BYTES },
  { heading: "### `extents` (32 bytes a record)", fields: archive.EXTENT, bytes: archive.EXTENT_BYTES },
  { heading: "#### Attribute (8 bytes and more)", fields: archive.XATTR, bytes: archive.XATTR_BYTES },
  { heading: "### Layer index header (48 bytes)", fields: LAYER_INDEX_HEADER, bytes: LAYER_INDEX_HEADER_BYTES },
  { heading: "### `profile` (24 bytes a record)", fields: archive.PROFILE_RANGE, bytes: archive.PROFILE_RANGE_BYTES },
];

/** The cells of the first table under a heading, without its two head lines; code marks are taken off. */
function tableUnder(heading: string): string[][] {
  const at = LINES.indexOf(heading);
  assert.ok(at >= 0, `docs/format.md has no heading ${heading}`);
  const start = LINES.findIndex((line, i) => i > at && line.startsWith("|"));
  const between = LINES.slice(at + 1, start).find((line) => line.startsWith("#"));
  assert.equal(between, undefined, `no table under ${heading}`);
  const rows: string[][] = [];
  for (let i = start + 2; LINES[i]!.startsWith("|"); i++) {
    rows.push(LINES[i]!.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "").trim()));
  }
  return rows;
}

/** The content of a cell that is marked as code. */
function code(cell: string): string {
  const match = /^`([^`]+)`$/.exec(cell);
  assert.ok(match, `${cell} is not marked as code`);
  return match[1]!;
}

for (const { heading, fields, bytes } of RECORDS) {
  Deno.test(`docs/format.md ${heading}: offsets, lengths and names are those of layout.ts`, () => {
    const documented = tableUnder(heading).map((
      [offset, length, name],
    ) => [code(name!), Number(offset), Number(length)]);
    assert.deepEqual(documented, Object.entries(fields).map(([name, field]) => [name, field.at, field.bytes]));
    assert.equal(Number(/\((\d+) bytes/.exec(heading)![1]), bytes);
  });

  Deno.test(`docs/format.md ${heading}: the fields tile the record, each at a multiple of what it is read by`, () => {
    let next = 0;
    for (const [name, field] of Object.entries(fields)) {
      assert.equal(field.at, next, `${name} begins where the field before it ends`);
      assert.ok(field.bytes > 0);
      if ([2, 4, 8].includes(field.bytes)) assert.equal(field.at % field.bytes, 0, `${name} is aligned`);
      next += field.bytes;
    }
    assert.equal(next, bytes);
  });
}

/** Where the first of so many sections begins. */
function at(sectionCount: number): number {
  return archive.HEADER_BYTES + sectionCount * archive.SECTION_BYTES;
}

Deno.test("docs/format.md: sections", () => {
  const documented = tableUnder("## Sections").map(([number, name]) => [code(name!), Number(number)]);
  assert.deepEqual(documented, Object.entries(archive.SectionId));
  assert.ok(
    LINES.includes(
      `    ${
        at(archive.SECTION_NAMES.length)
      }   sections          in the order of the table, each at the next multiple of 8, zeros between and at the end`,
    ),
  );
});

Deno.test("docs/format.md: columns", () => {
  const columns = (heading: string) => tableUnder(heading).map(([number, name]) => [Number(number), code(name!)]);
  assert.deepEqual(columns("### `inodes` (columns)"), archive.INODE_COLUMNS.map((name, i) => [i, name]));
  assert.deepEqual(columns("### `dirents` (columns)"), archive.DIRENT_COLUMNS.map((name, i) => [i, name]));
  assert.deepEqual(COLUMN_COUNTS, { inodes: archive.INODE_COLUMNS.length, dirents: archive.DIRENT_COLUMNS.length });
});

Deno.test("docs/format.md: limits", () => {
  const constants = archive as unknown as Readonly<Record<string, unknown>>;
  const documented = tableUnder("## Limits");
  for (const [name, value] of documented) {
    assert.equal(Number(value!.replaceAll(",", "")), constants[code(name!)], name);
  }
  const limits = Object.keys(archive).filter((name) => name.startsWith("MAX_") || name === "WINDOW_GROUP_BYTES");
  assert.deepEqual(documented.map(([name]) => code(name!)).sort(), limits.sort());
});

Deno.test("docs/format.md: fields of the image section", () => {
  const image = JSON.parse(new TextDecoder().decode(sectionsOf(sampleArchive()).image)) as Record<string, unknown>;
  const names = Object.entries(image).flatMap(([name, value]) => {
    if (Array.isArray(value)) return Object.keys(value[0]).map((key) => `${name}[].${key}`);
    return typeof value === "object" ? Object.keys(value!).map((key) => `${name}.${key}`) : [name];
  });
  assert.deepEqual(tableUnder("### `image`").map(([name]) => code(name!)), names);
});

Deno.test("docs/format.md: magic, version, encodings, kinds", () => {
  const [magic, , version, count] = tableUnder("### Header (64 bytes)").map((row) => row[3]!);
  const hex = archive.MAGIC.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  assert.ok(magic!.startsWith(`\`${hex}\``));
  assert.ok(version!.startsWith(`${archive.FORMAT_VERSION}. `));
  const least = archive.SECTION_NAMES.length;
  assert.equal(count, `${least}, or ${least + 1} with a profile or data, or ${least + 2} with both`);
  const withProfile = at(archive.SECTION_NAMES.length + 1);
  const sentence = `With a profile, the table has ${least + 1} rows and the sections begin at ${withProfile}. `;
  assert.ok(LINES.some((line) => line.startsWith(sentence)));
  const encoding = tableUnder("### Section table (64 bytes a row)")[1]![3]!;
  assert.equal(encoding, `${archive.Encoding.stored}: stored; ${archive.Encoding.deflate}: raw deflate (RFC 1951)`);
  assert.ok(
    LINES.some((line) => /^\| sparse file .*\| 0xffffffff +\|$/.test(line)) && archive.SPARSE_LAYER === 0xffffffff,
  );
});
