/** The rules of the OCI image-spec, layer.md, one by one. */
import assert from "node:assert/strict";
import { CorruptError } from "../../src/base/mod.ts";
import { mergeLayers } from "../../src/indexer/mod.ts";
import type { TarEntry } from "../../src/tar/mod.ts";
import { directory, file, hardLink, linesOf, merged, opaque, symlink, whiteout } from "./entries.ts";
import { entry } from "../tar/entry.ts";

const { test } = Deno;

/** Fails unless merging throws a CorruptError whose message has all of `parts`. */
function refuses(layers: TarEntry[][], ...parts: string[]): void {
  assert.throws(() => mergeLayers(layers, () => {}), (error) => {
    assert(error instanceof CorruptError, String(error));
    for (const part of parts) assert(error.message.includes(part), `"${error.message}" lacks "${part}"`);
    return true;
  });
}

function warningsOf(...layers: TarEntry[][]): string[] {
  const warnings: string[] = [];
  mergeLayers(layers, (message) => warnings.push(message));
  return warnings;
}

const WITH_CONTENT = [directory("d", { mode: 0o700 }), file("d/old"), file("keep", 1024)];

test("no layers make an empty root", () => {
  assert.deepEqual(linesOf(mergeLayers([], () => {})), ["/ dir 755"]);
});

test("a whiteout hides a name of a lower layer, with all below it", () => {
  assert.deepEqual(merged(WITH_CONTENT, [whiteout("d")]), ["/keep file 644 0@1024+10"]);
  assert.deepEqual(merged(WITH_CONTENT, [whiteout("d/old")]), ["/d dir 700", "/keep file 644 0@1024+10"]);
});

test("a whiteout and a new entry of its name in one layer, in either order: only the lower one is hidden", () => {
  const expected = ["/d dir 755", "/d/new file 644 1@5+10", "/keep file 644 0@1024+10"];
  assert.deepEqual(merged(WITH_CONTENT, [whiteout("d"), directory("d"), file("d/new", 5)]), expected);
  assert.deepEqual(merged(WITH_CONTENT, [directory("d"), file("d/new", 5), whiteout("d")]), expected);
  assert.deepEqual(merged(WITH_CONTENT, [file("d/new", 5), whiteout("d")]), expected, "the parent is implied anew");
  const replaced = ["/d dir 700", "/d/old file 644 1@7+10", "/keep file 644 0@1024+10"];
  assert.deepEqual(merged(WITH_CONTENT, [file("d/old", 7), whiteout("d/old")]), replaced);
});

test("an opaque whiteout hides what lower layers have in its directory, and keeps the directory and its siblings", () => {
  const expected = ["/d dir 700", "/d/new file 644 1@5+10", "/keep file 644 0@1024+10"];
  assert.deepEqual(merged(WITH_CONTENT, [opaque("d"), file("d/new", 5)]), expected);
  assert.deepEqual(merged(WITH_CONTENT, [file("d/new", 5), opaque("d")]), expected);
  const same = [directory("d", { mode: 0o711 }), file("d/old", 9), opaque("d")];
  assert.deepEqual(merged(WITH_CONTENT, same), ["/d dir 711", "/d/old file 644 1@9+10", "/keep file 644 0@1024+10"]);
});

test("an opaque whiteout of the root hides everything below this layer", () => {
  assert.deepEqual(merged(WITH_CONTENT, [file("new", 5), opaque("")]), ["/new file 644 1@5+10"]);
  assert.deepEqual(merged(WITH_CONTENT, [entry("file", "./.wh..wh..opq"), file("new", 5)]), ["/new file 644 1@5+10"]);
});

test("whiteouts of what is not there do nothing", () => {
  const lines = merged(WITH_CONTENT);
  const nothing = [whiteout("none"), whiteout("d/none"), whiteout("none/below"), whiteout("keep/below")];
  assert.deepEqual(merged(WITH_CONTENT, [...nothing, opaque("none"), opaque("keep")]), lines);
  assert.deepEqual(merged([whiteout("d"), opaque(""), ...WITH_CONTENT]), lines, "nor do those of the lowest layer");
});

test("a whiteout acts through layers in between, and a name may come back later", () => {
  const layers = [[file("a", 1)], [file("b", 2)], [whiteout("a")], [file("c", 3)], [file("a", 4)]];
  assert.deepEqual(merged(...layers.slice(0, 4)), ["/b file 644 1@2+10", "/c file 644 3@3+10"]);
  assert.equal(merged(...layers)[0], "/a file 644 4@4+10");
});

test("whiteouts never follow symlinks", () => {
  const lower = [directory("usr"), directory("usr/lib"), file("usr/lib/x"), symlink("lib", "usr/lib")];
  assert.deepEqual(merged(lower, [whiteout("lib/x"), opaque("lib")]), merged(lower), "a link of a lower layer");
  const folders = [directory("d"), file("d/x", 1), directory("other"), file("other/x", 2)];
  const repacked = [symlink("d", "other"), entry("file", "d/.wh.x")];
  const expected = ["/d link 777 -> other", "/other dir 755", "/other/x file 644 0@2+10"];
  assert.deepEqual(merged(folders, repacked), expected, "a link of the same layer, as umoci repack writes");
  assert.deepEqual(merged(folders, [...repacked].reverse()), expected);
});

test("a whiteout removes one name of a hard link", () => {
  assert.deepEqual(merged([file("a"), hardLink("b", "a")], [whiteout("a")]), ["/b file 644 0@512+10"]);
});

test("whiteouts without a name, and of . and .., are refused; AUFS's own files are passed over", () => {
  for (const name of [".wh.", ".wh..", ".wh..."]) refuses([[], [file(name)]], "layer 1", name, "bad whiteout");
  assert.deepEqual(merged(WITH_CONTENT, [file(".wh..wh.aufs"), file(".wh..wh.plnk"), file(".wh..wh.orph")]), [
    ...merged(WITH_CONTENT),
  ]);
  const below = [directory(".wh..wh.plnk"), file(".wh..wh.plnk/12.3"), file("d/.wh.x/y")];
  assert.deepEqual(merged(WITH_CONTENT, below), merged(WITH_CONTENT));
  const warnings = warningsOf(WITH_CONTENT, below);
  assert.equal(warnings.length, 2);
  assert.match(warnings[1]!, /^layer 1: .*d\/\.wh\.x\/y/);
});

test("every kind replaces every other; only a directory onto a directory keeps what is in it", () => {
  const makers: Record<string, (layer: number) => TarEntry[]> = {
    file: (layer) => [file("n", 100 + layer)],
    directory: (layer) => [directory("n", { mode: 0o700 + layer }), file(`n/in${layer}`, 200 + layer)],
    symlink: (layer) => [symlink("n", `to${layer}`)],
    hardlink: (layer) => [file(`base${layer}`, 300 + layer), hardLink("n", `base${layer}`)],
    "character-device": () => [entry("character-device", "n", { deviceMajor: 1, deviceMinor: 3 })],
    "block-device": () => [entry("block-device", "n", { deviceMajor: 8, deviceMinor: 1 })],
    fifo: () => [entry("fifo", "n", { mode: 0o600 })],
  };
  const of = (lines: string[]) => lines.filter((line) => /^\/n\b/.test(line));
  for (const [below, makeBelow] of Object.entries(makers)) {
    for (const [above, makeAbove] of Object.entries(makers)) {
      const twoLayers = of(merged(makeBelow(0), makeAbove(1)));
      const alone = of(merged([], makeAbove(1)));
      const keeps = below === "directory" && above === "directory";
      const expected = keeps ? [alone[0], "/n/in0 file 644 0@200+10", ...alone.slice(1)] : alone;
      assert.deepEqual(twoLayers, expected, `${above} onto ${below}`);
      const oneLayer = of(merged([], [...makeBelow(0), ...makeAbove(1)]));
      assert.deepEqual(oneLayer, expected.map((line) => line!.replace("0@200", "1@200")), `${above} after ${below}`);
    }
  }
});

test("of several entries of a name in one layer the last counts", () => {
  const entries = [file("a", 1), file("a", 2), directory("d", { mode: 0o700 }), directory("d", { mode: 0o711 })];
  assert.deepEqual(merged([...entries, file("a", 3, { uid: 7 })]), ["/a file 644 0@3+10 7.0", "/d dir 711"]);
});

test("the attributes of an upper directory entry count, and those of none leave the lower ones", () => {
  const lower = [directory("d", { mode: 0o1777, uid: 3, mtimeSeconds: 5, xattrs: xattrs({ "user.a": "1" }) })];
  assert.deepEqual(merged(lower, [file("d/x", 1)]), ["/d dir 1777 3.0 t5.0 user.a=1", "/d/x file 644 1@1+10"]);
  assert.deepEqual(merged(lower, [directory("d", { mode: 0o700 })]), ["/d dir 700"]);
});

test("parents that no layer has are 0755, root's and of 1970, until an entry of their own comes", () => {
  assert.deepEqual(merged([file("a/b/c", 1)]), ["/a dir 755", "/a/b dir 755", "/a/b/c file 644 0@1+10"]);
  assert.deepEqual(merged([file("a/x", 1), directory("a", { mode: 0o700, gid: 4 })]), [
    "/a dir 700 0.4",
    "/a/x file 644 0@1+10",
  ]);
});

test("the root's own entry sets the root's attributes, in each way of writing it", () => {
  for (const path of ["./", ".", "/", "/.", "././"]) {
    const root = mergeLayers([[directory(path, { mode: 0o751, uid: 5, mtimeSeconds: -1 }), file("./a")]], () => {});
    assert.deepEqual(linesOf(root), ["/ dir 751 5.0 t-1.0", "/a file 644 0@512+10"], path);
  }
  refuses([[symlink("./", "x")]], "layer 0", "root", "symlink");
  refuses([[file("/")]], "root", "file");
});

test("leading, double and trailing slashes and dots in paths change nothing", () => {
  const plain = merged([directory("a"), directory("a/b"), file("a/b/c", 1)]);
  assert.deepEqual(merged([directory("/a/"), directory("./a//b/"), file("a/./b/c", 1)]), plain);
  assert.deepEqual(merged([directory("a/b//"), file("//a///b/c/", 1)]), plain);
});

test("times before 1970, nanoseconds and attributes of every namespace are kept", () => {
  const values = xattrs({ "security.capability": "cap", "trusted.x": "t", "user.empty": "" });
  assert.deepEqual(
    merged([file("a", 1, { mtimeSeconds: -62135596800, mtimeNanoseconds: 999_999_999, xattrs: values })]),
    [
      "/a file 644 0@1+10 t-62135596800.999999999 security.capability=cap trusted.x=t user.empty=",
    ],
  );
});

test("devices and fifos keep their numbers; special bits stay", () => {
  const tty = entry("character-device", "tty", { deviceMajor: 4095, deviceMinor: 1048575, mode: 0o6620 });
  assert.deepEqual(merged([tty, entry("fifo", "p", { mode: 0o1600 })]), [
    "/p fifo 1600",
    "/tty char 6620 4095:1048575",
  ]);
});

test("what overlayfs takes for its own marks is kept, shown and warned of", () => {
  const marked = directory("d", { xattrs: xattrs({ "trusted.overlay.opaque": "y" }) });
  const device = entry("character-device", "gone");
  assert.deepEqual(merged([marked, device]), ["/d dir 755 trusted.overlay.opaque=y", "/gone char 644"]);
  const warnings = warningsOf([], [marked, device, file("f", 1, { xattrs: xattrs({ "user.overlay.x": "" }) })]);
  assert.equal(warnings.length, 2);
  assert.match(warnings[0]!, /layer 1: d .*trusted\.overlay/);
  assert.match(warnings[1]!, /layer 1: gone .*0:0/);
});

test("marks of overlayfs on a directory that is there already, or on the root, are warned of too", () => {
  const marks = xattrs({ "trusted.overlay.redirect": "/x" });
  assert.equal(warningsOf([directory("d")], [directory("d", { xattrs: marks })]).length, 1);
  assert.equal(warningsOf([directory("./", { xattrs: marks })]).length, 1);
});

test("a layer full of odd entries is told of in a few lines", () => {
  const devices = Array.from({ length: 1000 }, (_, i) => entry("character-device", `gone${i}`));
  const warnings = warningsOf([], devices);
  assert.equal(warnings.length, 21);
  assert.equal(warnings.at(-1), "layer 1: 980 further warnings");
});

test("a sparse file has its runs with their places in the stream; runs without bytes are left out", () => {
  const sparse = [
    { fileOffset: 0, lengthBytes: 100 },
    { fileOffset: 4096, lengthBytes: 0 },
    { fileOffset: 8192, lengthBytes: 50 },
  ];
  assert.deepEqual(
    merged([], [entry("file", "s", { sizeBytes: 10_000, storedBytes: 150, dataPlainOffset: 1024, sparse })]),
    [
      "/s file 644 0:1@1024+100,8192:1@1124+50+10000",
    ],
  );
  const hole = entry("file", "hole", {
    sizeBytes: 5000,
    storedBytes: 0,
    sparse: [{ fileOffset: 5000, lengthBytes: 0 }],
  });
  assert.deepEqual(merged([hole]), ["/hole file 644 +5000"]);
});

test("names that are not UTF-8 are bytes like any others; 255 of them are allowed, 256 are not", () => {
  const name = "caf\xe9\xff";
  assert.deepEqual(merged([file(`${name}/\x01`, 1)]), [`/${name} dir 755`, `/${name}/\x01 file 644 0@1+10`]);
  assert.deepEqual(merged([file(name, 1)], [whiteout(name)]), []);
  assert.equal(merged([file("n".repeat(255))]).length, 1);
  refuses([[file("n".repeat(256))]], "layer 0", "length of a component of name", "256");
  refuses([[file(`a/${"n".repeat(256)}/b`)]], "256");
  refuses([[file("a\0b")]], "without NUL");
});

test("a path with .. is refused wherever it would lead, and the message names layer and entry", () => {
  for (const path of ["../a", "..", "a/..", "a/../b", "/..", "./../a"]) {
    refuses([[], [file(path)]], "layer 1", path, "without ..");
  }
  refuses([[whiteout("../a")]], "..");
  refuses([[file("a"), hardLink("b", "../a")]], "hard link target", "without ..");
});

test("an entry below a file is refused, naming both", () => {
  refuses([[file("a")], [file("a/b/c")]], "layer 1", "entry a/b/c", "a directory at a");
  refuses([[entry("fifo", "p"), directory("p/q")]], "a directory at p");
});

test("paths of 4,096 components are taken, of 10,000 refused", () => {
  const deep = (depth: number) => file(Array.from({ length: depth }, () => "d").join("/"));
  refuses([[deep(10_000)]], "layer 0", "depth", "10000", "at most 4096");
  let depth = 0;
  let node = mergeLayers([[deep(4096)]], () => {});
  for (; node.children !== undefined; depth++) node = node.children.get("d")!;
  assert.equal(depth, 4096);
});

test("a symlink's target may have 1 to 4,095 bytes", () => {
  refuses([[symlink("l", "")]], "symlink", "0");
  refuses([[symlink("l", "t".repeat(4096))]], "4096");
  assert.equal(merged([symlink("l", "t".repeat(4095))])[0]!.length, "/l link 777 -> ".length + 4095);
});

function xattrs(values: Record<string, string>): Map<string, Uint8Array> {
  return new Map(Object.entries(values).map(([name, value]) => [name, new TextEncoder().encode(value)]));
}
