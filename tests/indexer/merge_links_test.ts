/** Hard links, and symlinks on the way to an entry. */
import assert from "node:assert/strict";
import { CorruptError } from "../../src/base/mod.ts";
import { mergeLayers } from "../../src/indexer/mod.ts";
import type { TarEntry } from "../../src/tar/mod.ts";
import { directory, file, hardLink, linesOf, merged, symlink, whiteout } from "./entries.ts";
import { entry } from "../tar/entry.ts";

const { test } = Deno;

function refuses(layers: TarEntry[][], ...parts: string[]): void {
  assert.throws(() => mergeLayers(layers, () => {}), (error) => {
    assert(error instanceof CorruptError, String(error));
    for (const part of parts) assert(error.message.includes(part), `"${error.message}" lacks "${part}"`);
    return true;
  });
}

test("a hard link is a further name of its target, whose attributes stay", () => {
  const own = { mode: 0o777, uid: 9, mtimeSeconds: 99 };
  assert.deepEqual(merged([file("a", 1, { mode: 0o640, uid: 1 }), hardLink("b", "a", own)]), [
    "/a file 640 0@1+10 1.0",
    "/b = /a",
  ]);
});

test("hard links to files of lower layers, to links, to symlinks and to devices", () => {
  assert.deepEqual(merged([file("d/a", 1)], [hardLink("e/b", "d/a"), hardLink("c", "/e/b"), hardLink("f", "./c")]), [
    "/c file 644 0@1+10",
    "/d dir 755",
    "/d/a = /c",
    "/e dir 755",
    "/e/b = /c",
    "/f = /c",
  ]);
  assert.deepEqual(merged([symlink("s", "nowhere"), hardLink("t", "s")]), ["/s link 777 -> nowhere", "/t = /s"]);
  const device = entry("character-device", "n", { deviceMajor: 1, deviceMinor: 3 });
  assert.deepEqual(merged([device, hardLink("m", "n")]), ["/m char 644 1:3", "/n = /m"]);
});

test("a hard link in a folder that is a symlink, and to a file reached through one", () => {
  const lower = [directory("usr/lib"), file("usr/lib/x", 1), symlink("lib", "usr/lib")];
  assert.deepEqual(merged(lower, [hardLink("lib/y", "lib/x")]).slice(1), [
    "/usr dir 755",
    "/usr/lib dir 755",
    "/usr/lib/x file 644 0@1+10",
    "/usr/lib/y = /usr/lib/x",
  ]);
});

test("a hard link to nothing is refused, naming link and target", () => {
  refuses([[hardLink("a/link", "b/target")]], "layer 0", "entry a/link", "b/target");
  refuses([[hardLink("late", "target"), file("target")]], "late", "before the link");
  refuses([[file("target")], [whiteout("target"), hardLink("link", "target")]], "layer 1", "link", "target");
  refuses([[file("f"), hardLink("link", "f/below")]], "link", "f/below");
  refuses([[hardLink("link", "/")]], "link", "hard link target");
  refuses([[hardLink("link", "")]], "link", "hard link target");
});

test("a hard link to a directory is refused", () => {
  refuses([[directory("d"), hardLink("e", "d")]], "entry e", "a directory");
  refuses([[directory("d"), hardLink("d", "d")]], "entry d", "a directory");
});

test("a hard link to itself changes nothing, one onto a directory replaces it", () => {
  assert.deepEqual(merged([file("a", 1), hardLink("a", "a")]), ["/a file 644 0@1+10"]);
  assert.deepEqual(merged([file("a", 1), file("d/x", 2)], [hardLink("d", "a")]), ["/a file 644 0@1+10", "/d = /a"]);
  refuses([[file("d/x", 2), hardLink("d", "d/x"), file("d/y", 3)]], "entry d/y", "a directory at d");
});

test("replacing one name of a hard link leaves the others as they were", () => {
  assert.deepEqual(merged([file("a", 1), hardLink("b", "a")], [file("a", 2)]), [
    "/a file 644 1@2+10",
    "/b file 644 0@1+10",
  ]);
});

const USR_MERGED = [directory("usr"), directory("usr/lib", { mode: 0o711 })];

test("an entry below a symlink goes where the link leads: relative, absolute, through others", () => {
  for (const target of ["usr/lib", "/usr/lib", "./usr//lib/", "usr/../usr/lib", "lib64"]) {
    const lower = [...USR_MERGED, symlink("lib64", "/usr/lib"), symlink("lib", target)];
    const lines = merged(lower, [file("lib/x", 1)]);
    assert(lines.includes("/usr/lib/x file 644 1@1+10"), `${target}: ${lines.join("; ")}`);
    assert(lines.includes("/usr/lib dir 711") && lines.includes(`/lib link 777 -> ${target}`), lines.join("; "));
  }
});

test("a relative link counts from its own folder, and .. at the root stays there", () => {
  const nested = [directory("a/b"), directory("a/c"), symlink("a/b/l", "../c")];
  assert(merged(nested, [file("a/b/l/x", 1)]).includes("/a/c/x file 644 1@1+10"));
  for (const target of ["../../../out", "/../out", "/../../out"]) {
    const lines = merged([symlink("l", target)], [file("l/x", 1)]);
    assert.deepEqual(lines, [`/l link 777 -> ${target}`, "/out dir 755", "/out/x file 644 1@1+10"]);
  }
});

test("folders that a link leads to and that are not there are made", () => {
  assert.deepEqual(merged([symlink("lib", "usr/lib"), file("lib/x", 1)]), [
    "/lib link 777 -> usr/lib",
    "/usr dir 755",
    "/usr/lib dir 755",
    "/usr/lib/x file 644 0@1+10",
  ]);
});

test("a directory entry of a link's own name replaces the link; later entries go into the directory", () => {
  const lower = [...USR_MERGED, file("usr/lib/x", 1), symlink("lib", "usr/lib")];
  const lines = merged(lower, [file("lib/before", 2), directory("lib"), file("lib/after", 3)]);
  assert.deepEqual(lines, [
    "/lib dir 755",
    "/lib/after file 644 1@3+10",
    "/usr dir 755",
    "/usr/lib dir 711",
    "/usr/lib/before file 644 1@2+10",
    "/usr/lib/x file 644 0@1+10",
  ]);
});

test("a folder replaced between two entries of one parent is noticed", () => {
  const lines = merged([file("a/b/x", 1), symlink("a", "c"), file("a/b/y", 2)]);
  assert.deepEqual(lines, ["/a link 777 -> c", "/c dir 755", "/c/b dir 755", "/c/b/y file 644 0@2+10"]);
  const linked = merged([directory("t"), symlink("s", "t"), file("d/x", 1), hardLink("d", "s"), file("d/y", 2)]);
  assert(linked.includes("/t/y file 644 0@2+10"), linked.join("; "));
});

test("loops of symlinks are refused, chains of 40 links are followed", () => {
  refuses([[symlink("a", "b"), symlink("b", "a"), file("a/x")]], "entry a/x", "at most 40 symlinks");
  refuses([[symlink("a", "a"), file("a/x")]], "symlinks");
  refuses([[symlink("a", "a/a"), file("a/x")]], "symlinks");
  refuses([[symlink("a", "a"), hardLink("l", "a/x")]], "entry l", "symlinks");
  const chain = (links: number) => [
    directory("end"),
    ...Array.from({ length: links }, (_, i) => symlink(`l${i}`, i === 0 ? "end" : `l${i - 1}`)),
    file(`l${links - 1}/x`, 1),
  ];
  assert(merged(chain(40)).includes("/end/x file 644 0@1+10"));
  refuses([chain(41)], "l40/x", "at most 40");
});

test("a symlink to a file has nothing below it", () => {
  refuses([[file("f"), symlink("l", "f"), file("l/x")]], "entry l/x", "a directory at f");
});

test("many entries in a few folders, each found again", () => {
  const layers = Array.from(
    { length: 3 },
    (_, layer) => Array.from({ length: 3000 }, (_, i) => file(`d${i % 7}/e${i % 3}/f${i}`, layer * 10_000 + i)),
  );
  const root = mergeLayers(layers, () => {});
  const lines = linesOf(root);
  assert.equal(lines.length, 1 + 7 + 21 + 3000);
  assert(lines.includes("/d3/e2/f17 file 644 2@20017+10"));
});
