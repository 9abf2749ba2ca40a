import assert from "node:assert/strict";
import { ClipError, CorruptError, equalBytes } from "../../src/base/mod.ts";
import { MAX_WARNINGS, type TarEntry, type TarLimits, TarScanner } from "../../src/tar/mod.ts";
import { contents, scanTar } from "./scan_tar.ts";
import { bytesOf, endOfArchive, join, longHeader, numberField, paxHeader, tar, tarEntry } from "./tar_builder.ts";

/** The only entry of an archive made of `parts`, which gives no warning. */
function only(...parts: Uint8Array[]): TarEntry {
  const { entries, warnings } = scanTar([tar(...parts)]);
  assert.deepEqual(warnings, []);
  assert.equal(entries.length, 1);
  return entries[0]!;
}

function corrupt(
  archive: Uint8Array,
  { field, offset, message }: { field: string; offset: number; message?: RegExp },
  limits: Partial<TarLimits> = {},
): void {
  assert.throws(() => scanTar([archive], limits), (error) => {
    assert(error instanceof CorruptError, String(error));
    assert.equal(error.details.subject, "tar");
    assert.equal(error.details.field, field, error.message);
    assert.equal(error.details.offset, offset, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

Deno.test("tar: every field of a plain entry", () => {
  const before = tarEntry({ path: "dir/", type: "5", mode: 0o40755 });
  const file = tarEntry({ path: "a\xff", mode: 0o104711, uid: 1000, gid: 2000, mtime: 1234567890, data: "hello" });
  const { entries, warnings } = scanTar([tar(before, file)]);
  assert.deepEqual(warnings, []);
  assert.equal(entries[0]!.kind, "directory");
  assert.equal(entries[0]!.mode, 0o755);
  assert.deepEqual(entries[1], {
    kind: "file",
    path: "a\xff",
    linkName: "",
    mode: 0o4711,
    uid: 1000,
    gid: 2000,
    mtimeSeconds: 1234567890,
    mtimeNanoseconds: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    sizeBytes: 5,
    dataPlainOffset: 1024,
    storedBytes: 5,
    sparse: undefined,
    xattrs: undefined,
  });
});

Deno.test("tar: every type", () => {
  assert.equal(only(tarEntry({ path: "f", type: "0" })).kind, "file");
  assert.equal(only(tarEntry({ path: "f", type: "7", data: "x" })).sizeBytes, 1);
  assert.equal(only(tarEntry({ path: "f", type: "\0", format: "v7" })).kind, "file");
  assert.equal(only(tarEntry({ path: "d/", type: "\0", format: "v7" })).kind, "directory");
  assert.equal(only(tarEntry({ path: "f/", type: "0" })).kind, "file");
  const link = only(tarEntry({ path: "l", type: "2", linkName: "target" }));
  assert.deepEqual([link.kind, link.linkName], ["symlink", "target"]);
  const hard = only(tarEntry({ path: "h", type: "1", linkName: "f" }));
  assert.deepEqual([hard.kind, hard.linkName, hard.sizeBytes], ["hardlink", "f", 0]);
  const character = only(tarEntry({ path: "c", type: "3", major: 4095, minor: 1048575 }));
  assert.deepEqual([character.kind, character.deviceMajor, character.deviceMinor], ["character-device", 4095, 1048575]);
  const block = only(tarEntry({ path: "b", type: "4", major: 8, minor: 1, format: "gnu" }));
  assert.deepEqual([block.kind, block.deviceMajor, block.deviceMinor], ["block-device", 8, 1]);
  assert.equal(only(tarEntry({ path: "p", type: "6" })).kind, "fifo");
  const file = only(tarEntry({ path: "f", linkName: "not read", major: 5 }));
  assert.deepEqual([file.linkName, file.deviceMajor], ["", 0]);
});

Deno.test("tar: types that no extractor knows", () => {
  const next = tarEntry({ path: "next" });
  const unknown = scanTar([tar(tarEntry({ path: "f", type: "j", data: "x".repeat(600) }), next)]);
  assert.deepEqual(unknown.entries.map(({ path, kind, sizeBytes }) => [path, kind, sizeBytes]), [
    ["f", "file", 600],
    ["next", "file", 0],
  ]);
  assert.match(unknown.warnings[0]!, /"f" has the unknown type "j"/);
  for (const type of "AEINV") {
    const { entries, warnings } = scanTar([tar(tarEntry({ path: "label", type, data: "x".repeat(600) }), next)]);
    assert.deepEqual(entries.map(({ path }) => path), ["next"]);
    assert.equal(warnings.length, 1);
  }
  const listed = scanTar([tar(tarEntry({ path: "d/", type: "D", data: "Yname\0\0" }), next)]);
  assert.deepEqual(listed.entries.map(({ path, kind, sizeBytes }) => [path, kind, sizeBytes]), [
    ["d/", "directory", 0],
    ["next", "file", 0],
  ]);
  assert.throws(() => scanTar([tar(tarEntry({ path: "f", type: "M" }))]), (error) => {
    return error instanceof ClipError && error.code === "unsupported" && /multi-volume/.test(error.message);
  });
});

Deno.test("tar: a size on what has no data is ignored, with a warning", () => {
  for (const type of "123456") {
    const linkName = type < "3" ? "target" : "";
    const { entries, warnings } = scanTar([tar(tarEntry({ path: "x", type, linkName, size: 5000 }))]);
    assert.deepEqual([entries[0]!.sizeBytes, entries[0]!.storedBytes], [0, 0]);
    assert.match(warnings[0]!, /"x", of type "\d", has a size of 5000: ignored/);
  }
});

Deno.test("tar: the prefix belongs to ustar and star, each with its own length", () => {
  assert.equal(only(tarEntry({ path: "name", prefix: "some/dir" })).path, "some/dir/name");
  assert.equal(only(tarEntry({ path: "n".repeat(100), prefix: "p".repeat(155) })).path.length, 256);
  assert.equal(only(tarEntry({ path: "name", prefix: "p".repeat(140), format: "star" })).path.length, 131 + 1 + 4);
  assert.equal(only(tarEntry({ path: "name", prefix: "junk", format: "gnu" })).path, "name");
  assert.equal(only(tarEntry({ path: "name", prefix: "junk", format: "v7" })).path, "name");
});

Deno.test("tar: numbers in octal and in base-256", () => {
  const large = 2 ** 32 - 1;
  const entry = only(tarEntry({ path: "f", uid: large, gid: large, mtime: -1, format: "gnu" }));
  assert.deepEqual([entry.uid, entry.gid, entry.mtimeSeconds], [large, large, -1]);
  assert.equal(only(tarEntry({ path: "f", mtime: -(2 ** 40), format: "gnu" })).mtimeSeconds, -(2 ** 40));
  assert.equal(only(tarEntry({ path: "f", mtime: 2 ** 40, format: "gnu" })).mtimeSeconds, 2 ** 40);
  for (const mode of ["   644 \0", "644\0junk", "0000644 ", "00000644", "\0\x00644\0\0\0"]) {
    assert.equal(only(tarEntry({ path: "f", raw: { 100: mode } })).mode, 0o644, JSON.stringify(mode));
  }
  assert.equal(only(tarEntry({ path: "f", raw: { 100: "\0".repeat(8) } })).mode, 0);
});

Deno.test("tar: numbers that are none, or out of range", () => {
  const one = (fields: Parameters<typeof tarEntry>[0]) => tar(tarEntry({ path: "before" }), tarEntry(fields));
  corrupt(one({ path: "f", raw: { 100: "0000899\0" } }), { field: "mode", offset: 512, message: /"0000899\\x00"/ });
  corrupt(one({ path: "f", raw: { 124: "-0000000001\0" } }), { field: "size", offset: 512 });
  corrupt(one({ path: "f", raw: { 108: "12 34\0\0\0" } }), { field: "uid", offset: 512 });
  corrupt(one({ path: "f", uid: 2 ** 32 }), {
    field: "uid",
    offset: 512,
    message: /found 4294967296, expected 0 to 4294967295/,
  });
  corrupt(one({ path: "f", gid: -1 }), { field: "gid", offset: 512 });
  corrupt(one({ path: "f", size: -1 }), { field: "size", offset: 512 });
  const size63 = join(bytesOf("\x80\0\0\0"), bytesOf("\x7f"), bytesOf("\xff".repeat(7)));
  corrupt(one({ path: "f", raw: { 124: size63 } }), {
    field: "size",
    offset: 512,
    message: /at most 9007199254740991/,
  });
  corrupt(one({ path: "f", size: Number.MAX_SAFE_INTEGER }), { field: "size", offset: 512 });
  corrupt(one({ path: "c", type: "3", major: 4096 }), { field: "devmajor", offset: 512 });
  corrupt(one({ path: "c", type: "4", minor: 2 ** 20 }), { field: "devminor", offset: 512 });
});

Deno.test("tar: checksums unsigned, signed and wrong", () => {
  const path = "\xe9\xff\x80";
  assert.equal(only(tarEntry({ path, signedChecksum: true })).path, path);
  assert.equal(only(tarEntry({ path })).path, path);
  corrupt(tar(tarEntry({ path, checksumError: 1 })), { field: "chksum", offset: 0 });
  corrupt(bytesOf("x".repeat(512)), { field: "chksum", offset: 0 });
});

Deno.test("tar: PAX records override the header", () => {
  const entry = only(
    paxHeader({
      path: "p".repeat(300),
      size: "3",
      uid: "4294967295",
      gid: "70000",
      mtime: "-1.25",
      atime: "7",
      hdrcharset: "BINARY",
      comment: "\0 anything",
      "SCHILY.xattr.user.a=b": "not read: the keyword ends at the first equals sign",
    }),
    tarEntry({ path: "short", data: "abc", size: 0, uid: 1, gid: 2, mtime: 3 }),
  );
  assert.equal(entry.path, "p".repeat(300));
  assert.equal(entry.sizeBytes, 3);
  assert.deepEqual([entry.uid, entry.gid], [4294967295, 70000]);
  assert.deepEqual([entry.mtimeSeconds, entry.mtimeNanoseconds], [-2, 750_000_000]);
  const link = only(paxHeader({ linkpath: "\xfftarget" }), tarEntry({ path: "l", type: "2", linkName: "short" }));
  assert.equal(link.linkName, "\xfftarget");
});

Deno.test("tar: PAX times", () => {
  const time = (mtime: string) => {
    const entry = only(paxHeader({ mtime }), tarEntry({ path: "f", mtime: 77 }));
    return [entry.mtimeSeconds, entry.mtimeNanoseconds];
  };
  assert.deepEqual(time("0"), [0, 0]);
  assert.deepEqual(time("1.5"), [1, 500_000_000]);
  assert.deepEqual(time("12."), [12, 0]);
  assert.deepEqual(time("1.0000000019999"), [1, 1]);
  assert.deepEqual(time("-1"), [-1, 0]);
  assert.deepEqual(time("-0.000000001"), [-1, 999_999_999]);
  assert.deepEqual(time("-0.0"), [0, 0]);
  for (const bad of ["x", "1e3", "--1", "+1", ".5", "1,5", "99999999999999999", " 1"]) {
    corrupt(tar(paxHeader({ mtime: bad }), tarEntry({ path: "f" })), { field: "mtime", offset: 1024 });
  }
});

Deno.test("tar: PAX numbers that are none, or out of range", () => {
  for (const size of ["-1", "1.0", "0x10", "9007199254740992", "18446744073709551615", "1 "]) {
    corrupt(tar(paxHeader({ size }), tarEntry({ path: "f" })), { field: "size", offset: 1024 });
  }
  corrupt(tar(paxHeader({ uid: "4294967296" }), tarEntry({ path: "f" })), { field: "uid", offset: 1024 });
});

Deno.test("tar: PAX records are for one entry, global ones for all, and an empty value deletes", () => {
  const { entries } = scanTar([tar(
    paxHeader({ uid: "11", gid: "22", "SCHILY.xattr.user.g": "global" }, "g"),
    tarEntry({ path: "a" }),
    paxHeader({ uid: "33", gid: "", "SCHILY.xattr.user.g": "" }),
    tarEntry({ path: "b", gid: 5 }),
    tarEntry({ path: "c" }),
    paxHeader({ uid: "" }, "g"),
    paxHeader([["gid", "44"], ["gid", "55"]]),
    tarEntry({ path: "d", uid: 6 }),
  )]);
  assert.deepEqual(entries.map(({ path, uid, gid, xattrs }) => [path, uid, gid, xattrs?.size]), [
    ["a", 11, 22, 1],
    ["b", 33, 5, undefined],
    ["c", 11, 22, 1],
    ["d", 6, 55, 1],
  ]);
});

Deno.test("tar: of several PAX headers before an entry the last counts, and Solaris' type X is one", () => {
  const entry = only(paxHeader({ uid: "1", gid: "2" }), paxHeader({ gid: "3" }, "X"), tarEntry({ path: "f" }));
  assert.deepEqual([entry.uid, entry.gid], [0, 3]);
});

Deno.test("tar: extended attributes, as star and as bsdtar write them", () => {
  const entry = only(
    paxHeader({
      "SCHILY.xattr.user.bytes": "\0\xff\n=",
      "SCHILY.xattr.security.capability": "\x01\0\0\x02",
      "LIBARCHIVE.xattr.user.a%25%3db": "AAH/",
      "LIBARCHIVE.xattr.user.bytes": "AP8KPQ==",
    }),
    tarEntry({ path: "f" }),
  );
  assert.deepEqual(
    new Map([...entry.xattrs!].map(([name, value]) => [name, [...value]])),
    new Map([
      ["user.a%=b", [0, 1, 255]],
      ["user.bytes", [0, 255, 10, 61]],
      ["security.capability", [1, 0, 0, 2]],
    ]),
  );
});

Deno.test("tar: extended attributes that cannot be", () => {
  const refused = (keyword: string, value: string, field: string) => {
    const header = paxHeader({ [keyword]: value });
    corrupt(tar(header, tarEntry({ path: "f" })), { field, offset: header.length });
  };
  refused("LIBARCHIVE.xattr.user.x", "***", "LIBARCHIVE.xattr.user.x");
  refused("LIBARCHIVE.xattr.user%00x", "AAAA", "xattr name");
  refused("SCHILY.xattr.", "x", "xattr name");
  refused(`SCHILY.xattr.${"n".repeat(256)}`, "x", "xattr name");
  refused("SCHILY.xattr.user.x", "v".repeat(65537), "length of SCHILY.xattr.user.x");
  const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`SCHILY.xattr.user.${i}`, "x"]));
  corrupt(tar(paxHeader(many), tarEntry({ path: "f" })), { field: "xattrs", offset: 1024 }, { xattrs: 10 });
});

Deno.test("tar: PAX records that lie about their length", () => {
  const records = (data: string) => tar(tarEntry({ path: "pax", type: "x", data }), tarEntry({ path: "f" }));
  for (
    const data of [
      "6 a=bc\n", // too short: the newline is not its last byte
      "9 a=bc\n", // beyond the data
      "99999999999999999999 a=b\n",
      "0 a=b\n",
      "3 a\n",
      "2 \n",
      "a=b\n",
      " 6 a=b\n",
      "-6 a=b\n",
      "7a=b  \n",
      "5 =b\n", // no keyword
      "5 ab\n", // no equals sign
      "6 a=b\n\0\0\0\0", // something after the last record
      "8 a\0b=c\n",
    ]
  ) {
    corrupt(records(data), { field: "PAX record", offset: 0 });
  }
  assert.equal(scanTar([records("6 a=b\n7 a=bc\n5 c=\n")]).entries.length, 1);
});

Deno.test("tar: paths are bytes up to the first NUL; a PAX path with one is an error", () => {
  corrupt(tar(paxHeader({ path: "a\0b" }), tarEntry({ path: "f" })), { field: "path", offset: 1024 });
  corrupt(tar(paxHeader({ linkpath: "a\0b" }), tarEntry({ path: "f", type: "2" })), {
    field: "linkpath",
    offset: 1024,
  });
  corrupt(tar(tarEntry({ path: "" })), { field: "path", offset: 0 });
  corrupt(tar(tarEntry({ path: "l", type: "2" })), { field: "linkpath", offset: 0 });
  corrupt(tar(paxHeader({ path: "p".repeat(9) }), tarEntry({ path: "f" })), { field: "path", offset: 1024 }, {
    pathBytes: 8,
  });
});

Deno.test("tar: GNU long names and link targets, the last of several, before PAX", () => {
  const entry = only(
    longHeader("first".repeat(40)),
    longHeader("t".repeat(200), "K"),
    longHeader("n".repeat(300)),
    paxHeader({ path: "pax", linkpath: "pax" }),
    tarEntry({ path: "n".repeat(100), type: "2", linkName: "t".repeat(100), format: "gnu" }),
  );
  assert.equal(entry.path, "n".repeat(300));
  assert.equal(entry.linkName, "t".repeat(200));
  const { entries } = scanTar([tar(longHeader("long"), tarEntry({ path: "a" }), tarEntry({ path: "b" }))]);
  assert.deepEqual(entries.map(({ path }) => path), ["long", "b"]);
});

Deno.test("tar: extended headers are bounded, each and together", () => {
  corrupt(tar(tarEntry({ path: "x", type: "x", size: 1 << 21 })), { field: "size of an extended header", offset: 0 });
  const many = Array.from({ length: 20 }, () => paxHeader({ comment: "c" }));
  corrupt(
    tar(...many, tarEntry({ path: "f" })),
    { field: "extended headers before one entry", offset: 15 * 1024 },
    { extendedBytesPerEntry: 15 * (512 + 13) + 500 },
  );
  const globals = Array.from({ length: 20 }, (_, i) => paxHeader({ [`key${i}`]: "v".repeat(100) }, "g"));
  corrupt(tar(...globals), { field: "PAX global records", offset: 9 * 1024 }, { globalRecordBytes: 1000 });
  corrupt(tar(...globals), { field: "PAX global records", offset: 9 * 1024 }, { globalRecords: 9 });
  // A million of them, none of which an entry follows, never held together.
  const scanner = new TarScanner({ onEntry: () => assert.fail("no entry") });
  const header = paxHeader({ comment: "c" });
  assert.throws(() => {
    for (let i = 0; i < 1_000_000; i++) scanner.push(header);
  }, /extended headers before one entry at byte \d+: found \d+, expected at most 4194304 bytes/);
  assert(scanner.plainOffset < 10 << 20);
});

Deno.test("tar: a sparse map in a global header is no map of the files behind it", () => {
  const map = { "GNU.sparse.map": "0,1".padEnd(60_000, ",0,0"), "GNU.sparse.size": "9" };
  const { entries } = scanTar([tar(paxHeader(map, "g"), tarEntry({ path: "f", data: "x" }))]);
  assert.deepEqual(entries.map(({ sizeBytes, sparse }) => [sizeBytes, sparse]), [[1, undefined]]);
});

Deno.test("tar: the end of the archive", () => {
  const file = tarEntry({ path: "f", data: "data" });
  const warnings = (...parts: Uint8Array[]) => scanTar([join(...parts)]).warnings;
  assert.deepEqual(warnings(file, endOfArchive()), []);
  assert.deepEqual(warnings(file, new Uint8Array(10240)), []);
  assert.deepEqual(warnings(file, endOfArchive(), bytesOf("anything")), []);
  assert.deepEqual(warnings(file, new Uint8Array(512)), ["tar: the archive ends after one zero block, not two"]);
  assert.deepEqual(warnings(file), ["tar: the archive has no end-of-archive blocks"]);
  assert.deepEqual(warnings(file.subarray(0, 516)), ["tar: the archive has no end-of-archive blocks"]);
  assert.deepEqual(warnings(), ["tar: the archive has no end-of-archive blocks"]);
  assert.deepEqual(warnings(paxHeader({ uid: "1" }), endOfArchive()), [
    "tar: the last extended header is followed by no entry",
  ]);
  corrupt(join(file, new Uint8Array(512), file), { field: "end of archive", offset: 1536 });
});

Deno.test("tar: truncated archives", () => {
  const file = tarEntry({ path: "f", data: "x".repeat(700) });
  const archive = tar(paxHeader({ uid: "1" }), file);
  for (let length = 1; length < 1024 + 512 + 700; length++) {
    if (length === 512 + 8 || length === 1024) continue;
    const [field, offset] = length < 512
      ? ["header", 0]
      : length < 520
      ? ["extended header", 0]
      : length < 1024
      ? [undefined, 0]
      : length < 1536
      ? ["header", 1024]
      : ["data", 1024];
    if (field !== undefined) corrupt(archive.subarray(0, length), { field: field as string, offset: offset as number });
  }
});

Deno.test("tar: old GNU sparse files, with and without extension blocks", () => {
  const runs = (list: [number, number][]) => join(...list.flat().map((value) => numberField(value, 12)));
  const fields = { path: "s", type: "S", format: "gnu" } as const;
  const realSize = numberField(10_000, 12);
  const short = only(
    tarEntry({ ...fields, data: "abcdef", raw: { 386: runs([[0, 2], [5000, 4], [10_000, 0]]), 483: realSize } }),
  );
  assert.deepEqual(short.sparse, [{ fileOffset: 0, lengthBytes: 2 }, { fileOffset: 5000, lengthBytes: 4 }]);
  assert.deepEqual([short.sizeBytes, short.storedBytes, short.dataPlainOffset], [10_000, 6, 512]);

  const all = Array.from({ length: 30 }, (_, i): [number, number] => [i * 100, 10]);
  const header = tarEntry({ ...fields, size: 300, raw: { 386: runs(all.slice(0, 4)), 482: "\x01", 483: realSize } });
  const first = new Uint8Array(512);
  first.set(runs(all.slice(4, 25)));
  first[504] = 1;
  const second = new Uint8Array(512);
  second.set(runs(all.slice(25)));
  const data = new Uint8Array(512);
  for (let i = 0; i < 300; i++) data[i] = i + 1;
  const archive = tar(header, first, second, data, tarEntry({ path: "next" }));
  const { entries } = scanTar([archive]);
  assert.deepEqual(entries.map(({ path }) => path), ["s", "next"]);
  assert.equal(entries[0]!.dataPlainOffset, 1536);
  const file = contents(archive, entries[0]!);
  for (let i = 0; i < 10_000; i++) {
    const run = Math.floor(i / 100);
    assert.equal(file[i], i < 3000 && i % 100 < 10 ? (run * 10 + i % 100 + 1) % 256 : 0);
  }
  corrupt(join(header, first), { field: "sparse map", offset: 0 });
  corrupt(tar(tarEntry({ ...fields, format: "ustar" })), { field: "magic", offset: 0 });
});

Deno.test("tar: PAX sparse files of formats 0.0, 0.1 and 1.0", () => {
  const expected = [{ fileOffset: 4, lengthBytes: 3 }, { fileOffset: 900, lengthBytes: 2 }];
  const name = { path: "GNUSparseFile.0/s", data: "abcde" };
  const v00 = only(
    paxHeader([
      ["GNU.sparse.size", "1000"],
      ["GNU.sparse.numblocks", "3"],
      ["GNU.sparse.offset", "4"],
      ["GNU.sparse.numbytes", "3"],
      ["GNU.sparse.offset", "900"],
      ["GNU.sparse.numbytes", "2"],
      ["GNU.sparse.offset", "1000"],
      ["GNU.sparse.numbytes", "0"],
    ]),
    tarEntry(name),
  );
  assert.deepEqual([v00.path, v00.sizeBytes, v00.storedBytes, v00.sparse], [name.path, 1000, 5, expected]);
  const v01 = only(
    paxHeader({ "GNU.sparse.size": "1000", "GNU.sparse.map": "4,3,900,2", "GNU.sparse.name": "real" }),
    tarEntry(name),
  );
  assert.deepEqual([v01.path, v01.sizeBytes, v01.storedBytes, v01.sparse], ["real", 1000, 5, expected]);
  const version1 = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000" };
  const map = "2\n4\n3\n900\n2\n".padEnd(512, "\0");
  const v10 = only(paxHeader({ ...version1, "GNU.sparse.name": "real" }), tarEntry({ ...name, data: map + "abcde" }));
  assert.deepEqual([v10.path, v10.sizeBytes, v10.storedBytes, v10.sparse], ["real", 1000, 5, expected]);
  assert.equal(v10.dataPlainOffset, 512 * 4);
  const hole = only(paxHeader(version1), tarEntry({ path: "s", data: "0\n".padEnd(512, "\0") }));
  assert.deepEqual([hole.sizeBytes, hole.storedBytes, hole.sparse], [1000, 0, []]);
  const plain = only(paxHeader({ "GNU.sparse.name": "not sparse" }), tarEntry({ path: "f" }));
  assert.equal(plain.path, "f");
});

Deno.test("tar: sparse maps that cannot be", () => {
  const v01 = (map: string, records: Record<string, string> = {}) =>
    tar(
      paxHeader({ "GNU.sparse.size": "1000", "GNU.sparse.map": map, ...records }),
      tarEntry({ path: "s", data: "abc" }),
    );
  const field = "sparse map";
  for (const map of ["0,1,0,2", "5,2,3,1", "999,3", "0,2", "0,4", "0", "0,3,", "a,3", "-1,3", "0,9007199254740992"]) {
    corrupt(v01(map), { field, offset: 1024 });
  }
  corrupt(v01("0,3", { "GNU.sparse.numblocks": "2" }), { field, offset: 1024 });
  corrupt(v01("0,1,5,1,8,1"), { field, offset: 1024, message: /more than 2 runs/ }, { sparseRuns: 2 });
  corrupt(v01("0,3", { "GNU.sparse.size": "" }), { field: "GNU.sparse.size", offset: 1024 });
  corrupt(v01("0,3", { "GNU.sparse.major": "2", "GNU.sparse.minor": "0" }), {
    field: "GNU.sparse version",
    offset: 1024,
  });
  corrupt(tar(paxHeader([["GNU.sparse.numbytes", "3"]]), tarEntry({ path: "s" })), { field: "PAX record", offset: 0 });
  const v10 = (data: string) => {
    const records = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000" };
    return tar(paxHeader(records), tarEntry({ path: "s", data }));
  };
  const block = (text: string) => text.padEnd(512, "\0") + "abc";
  for (const map of ["", "1\n", "1\n0", "1 0 3\n", "1\n-1\n3\n", "99999999999999999999\n", "2\n0\n3\n", "1\n0\n4\n"]) {
    corrupt(v10(block(map)), { field, offset: 1024 });
  }
  corrupt(v10(""), { field, offset: 1024 });
  corrupt(v10(`1\n${"0".repeat(511)}`), { field, offset: 1024 });
});

Deno.test("tar: warnings are told only so many times", () => {
  const parts = Array.from({ length: MAX_WARNINGS + 50 }, () => tarEntry({ path: "f", type: "j" }));
  const { entries, warnings } = scanTar([tar(...parts)]);
  assert.equal(entries.length, MAX_WARNINGS + 50);
  assert.equal(warnings.length, MAX_WARNINGS);
});

Deno.test("tar: an entry is told before any of its contents have been pushed, wherever the input is split", () => {
  const v10 = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "5000" };
  const archive = tar(
    paxHeader({ path: "long".repeat(50), "SCHILY.xattr.user.x": "y" }),
    tarEntry({ path: "f", data: "x".repeat(1300) }),
    longHeader("l".repeat(700)),
    tarEntry({ path: "g", data: "y" }),
    paxHeader(v10),
    tarEntry({ path: "s", data: "1\n100\n3\n".padEnd(512, "\0") + "abc" }),
    tarEntry({ path: "d/", type: "5" }),
  );
  const whole = scanTar([archive]);
  assert.equal(whole.entries.length, 4);
  for (let at = 0; at <= archive.length; at++) {
    assert.deepEqual(scanTar([archive.subarray(0, at), archive.subarray(at)]), whole);
  }
  const scanner: TarScanner = new TarScanner({
    onEntry: (entry) => assert.equal(entry.dataPlainOffset, scanner.plainOffset),
  });
  for (let at = 0; at < archive.length; at++) scanner.push(archive.subarray(at, at + 1));
  scanner.finish();
  assert.equal(scanner.plainOffset, archive.length);
  assert(equalBytes(contents(archive, whole.entries[2]!).subarray(100, 103), bytesOf("abc")));
});
