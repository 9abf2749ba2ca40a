/** What is encoded is what the scanner reads, at every bound of every field. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeEnd, encodeEntry, type NewTarEntry, paddingBytes, wholeBlockRuns } from "../../src/tar/mod.ts";
import { entry } from "./entry.ts";
import { scanTar } from "./scan_tar.ts";
import { join } from "./tar_builder.ts";

const { dataPlainOffset: _, storedBytes: __, ...PLAIN } = entry("file", "a");

/** What the scanner makes of an entry; data are zeros. */
function readBack(entry: NewTarEntry): NewTarEntry {
  const { head, dataBytes } = encodeEntry(entry);
  const data = new Uint8Array(dataBytes + paddingBytes(dataBytes));
  const { entries, warnings } = scanTar([join(head, data, encodeEnd())]);
  assert.deepEqual(warnings, []);
  assert.equal(entries.length, 1);
  const { dataPlainOffset, storedBytes, ...found } = entries[0]!;
  assert.equal(dataPlainOffset, head.length);
  assert.equal(storedBytes, dataBytes);
  return found;
}

const byteString = (maxLength: number) =>
  fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength })
    .map((bytes) => String.fromCharCode(...bytes));
const number = (...bounds: number[]) => fc.constantFrom(...bounds.flatMap((bound) => [bound - 1, bound, bound + 1]));

Deno.test("tar: what is encoded is read again: names, numbers, times, attributes", () => {
  const entry = fc.record({
    ...Object.fromEntries(Object.entries(PLAIN).map(([name, value]) => [name, fc.constant(value)])),
    path: fc.array(byteString(130).map((name) => name.replaceAll("/", "x")), { minLength: 1, maxLength: 3 })
      .map((names) => names.join("/")),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: number(1, 0o7777777, 2 ** 32 - 2),
    gid: number(1, 0o7777777, 2 ** 32 - 2),
    mtimeSeconds: number(0, -1, 8 ** 11, -(2 ** 40), 1_600_000_000),
    mtimeNanoseconds: fc.constantFrom(0, 1, 500_000_000, 999_999_999),
    xattrs: fc.dictionary(fc.constantFrom("user.a", "security.capability", "trusted.b%"), byteString(300))
      .map((values) => {
        const pairs = Object.entries(values).map(([name, value]) => {
          return [name, Uint8Array.from(value, (char) => char.charCodeAt(0))] as const;
        });
        return pairs.length === 0 ? undefined : new Map(pairs);
      }),
  }) as unknown as fc.Arbitrary<NewTarEntry>;
  fc.assert(fc.property(entry, (entry) => assert.deepEqual(readBack(entry), { ...entry })));
});

Deno.test("tar: every kind, and sizes and numbers beyond the fields", () => {
  for (const kind of ["directory", "fifo"] as const) {
    assert.equal(readBack({ ...PLAIN, kind }).kind, kind);
  }
  for (const linkName of ["target", "t".repeat(101), "\xff/../x"]) {
    for (const kind of ["symlink", "hardlink"] as const) {
      assert.equal(readBack({ ...PLAIN, kind, linkName }).linkName, linkName);
    }
  }
  const device = { ...PLAIN, kind: "block-device", deviceMajor: 0xfff, deviceMinor: 0xfffff } as const;
  assert.deepEqual(readBack(device), device);
  // Too much data to make: the size alone is looked at.
  const { head, dataBytes } = encodeEntry({ ...PLAIN, sizeBytes: 8 ** 11 });
  assert.equal(dataBytes, 8 ** 11);
  assert.match(new TextDecoder().decode(head), /\n?19 size=8589934592\n/);
  assert.equal(encodeEntry({ ...PLAIN, sizeBytes: 8 ** 11 - 1 }).head.length, 512);
  assert.deepEqual(encodeEntry(PLAIN), encodeEntry({ ...PLAIN }));
});

Deno.test("tar: sparse files, in runs of whole blocks that hold all the data", () => {
  const runs = fc.array(fc.tuple(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 1, max: 2000 })))
    .map((pairs) => {
      let end = 0;
      return pairs.map(([hole, lengthBytes]) => {
        const run = { fileOffset: end + hole, lengthBytes };
        end = run.fileOffset + lengthBytes;
        return run;
      });
    });
  fc.assert(fc.property(runs, fc.integer({ min: 0, max: 2000 }), (runs, tail) => {
    const last = runs.at(-1);
    const sizeBytes = (last === undefined ? 0 : last.fileOffset + last.lengthBytes) + tail;
    const whole = wholeBlockRuns(runs, sizeBytes);
    let end = -1;
    for (const { fileOffset, lengthBytes } of whole) {
      assert.ok(fileOffset > end && (lengthBytes % 512 === 0 || fileOffset + lengthBytes === sizeBytes));
      end = fileOffset + lengthBytes;
    }
    assert.ok(end <= sizeBytes);
    for (const run of runs) {
      assert.ok(
        whole.some(({ fileOffset, lengthBytes }) =>
          fileOffset <= run.fileOffset && run.fileOffset + run.lengthBytes <= fileOffset + lengthBytes
        ),
      );
    }
    const entry = { ...PLAIN, path: "s".repeat(120), sizeBytes, sparse: whole };
    assert.deepEqual(readBack(entry), entry);
  }));
});
