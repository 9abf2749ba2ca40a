import assert from "node:assert/strict";
import type { ErrorCode } from "../../src/base/mod.ts";
import { type ArchiveMember, findFile, indexArchive, plainMemberName } from "../../src/oci/archive_index.ts";
import { FileRangeSource, LazyFile } from "../../src/base/file_range_source.ts";
import { noise } from "./fake_registry.ts";
import { withFolder } from "./make_layout.ts";
import { assertBytes, collect, failure, runProgram } from "./test_support.ts";

function index(path: string): ReadonlyMap<string, ArchiveMember> {
  const file = new LazyFile(path);
  try {
    return indexArchive(file);
  } finally {
    file.close();
  }
}

async function refused(path: string, bytes: Uint8Array, code: ErrorCode, pattern: RegExp): Promise<void> {
  Deno.writeFileSync(path, bytes);
  assert.match((await failure(() => index(path), code)).message, pattern);
}

const LONG = `${"d".repeat(90)}/${"e".repeat(90)}/${"f".repeat(90)}`;

for (const format of ["ustar", "gnu", "pax", "v7"]) {
  Deno.test(`members of a ${format} archive by tar(1)`, () =>
    withFolder(async (folder) => {
      const hasLongNames = format === "gnu" || format === "pax";
      const root = `${folder}/root`;
      const long = hasLongNames ? LONG : format === "ustar" ? `${"d".repeat(90)}/${"e".repeat(90)}` : "short";
      Deno.mkdirSync(`${root}/${long}`, { recursive: true });
      Deno.writeFileSync(`${root}/${long}/file`, noise(1000, 1));
      Deno.writeFileSync(`${root}/empty`, new Uint8Array());
      if (hasLongNames) Deno.writeFileSync(`${root}/über`, noise(512, 2));
      Deno.linkSync(`${root}/empty`, `${root}/hard`);
      Deno.symlinkSync(`../${"x".repeat(hasLongNames ? 200 : 20)}`, `${root}/soft`);
      await runProgram("tar", "-C", root, `--format=${format}`, "-cf", `${folder}/x.tar`, ".");
      const members = index(`${folder}/x.tar`);
      assert.equal(members.size, hasLongNames ? 5 : 4);
      const member = findFile(members, `${long}/file`)!;
      const file = new LazyFile(`${folder}/x.tar`);
      assertBytes(await collect(new FileRangeSource({ file, ...member, description: "x" })), noise(1000, 1));
      file.close();
      assert.equal(findFile(members, "hard")!.sizeBytes, 0);
      assert.equal(findFile(members, "./empty")!.sizeBytes, 0);
      assert.deepEqual(members.get("soft"), { kind: "symlink", target: `../${"x".repeat(hasLongNames ? 200 : 20)}` });
      assert.equal(findFile(members, "soft"), undefined);
      if (hasLongNames) assert.equal(findFile(members, "über")!.sizeBytes, 512);
    }));
}

/** A header block, its checksum right, for a member of `sizeBytes`. */
function header(name: string, { type = "0", size = "0", magic = "ustar\x00" } = {}): Uint8Array {
  const block = new Uint8Array(512);
  const put = (at: number, text: string) => block.set(Array.from(text, (char) => char.charCodeAt(0)), at);
  put(0, name);
  put(124, size);
  put(156, type);
  put(257, magic);
  put(148, "        ");
  put(148, block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ");
  return block;
}

function join(...pieces: Uint8Array[]): Uint8Array {
  return new Uint8Array(pieces.flatMap((piece) => [...piece]));
}

function padded(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(text.length / 512) * 512);
  bytes.set(new TextEncoder().encode(text));
  return bytes;
}

Deno.test("sizes in PAX records and in binary, the last of two members, and no end blocks", () =>
  withFolder((folder) => {
    const path = `${folder}/x.tar`;
    const data = new Uint8Array(1024);
    const record = "13 size=1000\n";
    const binary = "\x80" + "\0".repeat(9) + "\x02\x00";
    const bytes = join(
      header("pax", { type: "x", size: record.length.toString(8) }),
      padded(record),
      header("a"),
      data,
      header("b", { size: binary }),
      data.subarray(0, 512),
      header("./c//d", { size: "12" }),
      data.subarray(0, 512),
      header("c/d", { size: "7 " }),
      data.subarray(0, 512),
    );
    Deno.writeFileSync(path, bytes);
    assert.deepEqual(Object.fromEntries(index(path)), {
      a: { kind: "file", offset: 1536, sizeBytes: 1000 },
      b: { kind: "file", offset: 3072, sizeBytes: 512 },
      "c/d": { kind: "file", offset: 5120, sizeBytes: 7 },
    });
    return Promise.resolve();
  }));

Deno.test("what is no tar, or breaks its format", () =>
  withFolder(async (folder) => {
    const path = `${folder}/x.tar`;
    await refused(path, new Uint8Array(), "corrupt", /file size/);
    await refused(path, noise(2000, 4), "corrupt", /number|checksum/);
    await refused(path, new Uint8Array(512).fill(0x30), "corrupt", /checksum/);
    for (
      const [magic, program] of [[[0x1f, 0x8b], "gunzip"], [[0x28, 0xb5, 0x2f, 0xfd], "unzstd"], [
        [0x42, 0x5a, 0x68],
        "bunzip2",
      ]] as const
    ) {
      const bytes = noise(600, 5);
      bytes.set(magic);
      await refused(path, bytes, "unsupported", new RegExp(`with ${program}$`));
    }
    await refused(path, header("a", { size: "2000" }), "corrupt", /member size at byte 0/);
    await refused(path, header("a", { size: "zzz" }), "corrupt", /octal/);
    await refused(path, header("a", { size: "\xff".repeat(12) }), "corrupt", /number/);
    await refused(
      path,
      join(header("a", { type: "x", size: "7777777" }), new Uint8Array(2_100_000)),
      "corrupt",
      /extended header size/,
    );
    for (
      const record of [
        "5 a=b\n",
        "99 a=b\n",
        "x a=b\n",
        "-6 a=b\n",
        "6 a=bc",
        "0 a=b\n",
        "9999999999 a=b\n",
        "17 size=-1234567\n",
        "31 size=9007199254740993000000\n",
      ]
    ) {
      const size = record.length.toString(8);
      await refused(
        path,
        join(header("a", { type: "x", size }), padded(record), header("b")),
        "corrupt",
        /record|size/,
      );
    }
    const name = "n".repeat(5000);
    const long = join(header("a", { type: "L", size: name.length.toString(8) }), padded(name), header("b"));
    await refused(path, long, "corrupt", /name length/);
  }));

Deno.test("mutated archives end in a result or a ClipError", () =>
  withFolder(async (folder) => {
    const path = `${folder}/x.tar`;
    const record = "19 path=some/where\n";
    const good = join(
      header("a", { type: "x", size: record.length.toString(8) }),
      padded(record),
      header("b", { size: "5" }),
      new Uint8Array(512),
      header("c", { type: "2" }),
      new Uint8Array(1024),
    );
    const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
    // deno-lint-ignore no-console -- so that a failure can be repeated
    console.log(`seed ${seed}`);
    const numbers = noise(4 * 1000, seed);
    let failures = 0;
    for (let run = 0; run < 1000; run++) {
      const bytes = good.slice(0, run % 3 === 0 ? numbers[run * 4 + 2]! * 14 : good.length);
      const [high, low, , value] = numbers.subarray(run * 4);
      const at = ((high! << 8) | low!) % good.length;
      bytes[at] = value!;
      // With the checksum made right, the mutation gets past it.
      if (at < bytes.length && at % 512 !== 148) fixChecksum(bytes, at - at % 512);
      Deno.writeFileSync(path, bytes);
      try {
        index(path);
      } catch {
        failures++;
        await failure(() => index(path));
      }
    }
    assert(failures > 50 && failures < 1000, `${failures} of 1000 failed`);
  }));

function fixChecksum(bytes: Uint8Array, at: number): void {
  const block = bytes.subarray(at, at + 512);
  if (block.length < 512 || block[148] === 0) return;
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0).toString(8).padStart(6, "0");
  block.set(Array.from(`${sum}\0 `, (char) => char.charCodeAt(0)), 148);
}

Deno.test("names in their plain form", () => {
  assert.equal(plainMemberName("./a//b/"), "a/b");
  assert.equal(plainMemberName("/a/../b"), "b");
  assert.equal(plainMemberName("../../a"), "a");
  assert.equal(plainMemberName("."), "");
});
