import assert from "node:assert/strict";
import fc from "fast-check";
import { type ByteString, fromByteString } from "../../src/base/mod.ts";
import { compareByteStrings, openArchive, type Tree } from "../../src/archive/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import {
  archiveBytes,
  contents,
  directory,
  file,
  openTree,
  sampleLayers,
  sampleTree,
  symlink,
} from "./model_builder.ts";

/** A root with links of all sorts. */
async function linkedTree(): Promise<Tree> {
  const chain = Object.fromEntries(
    Array.from({ length: 41 }, (_, i) => [`link${i}`, symlink(i === 0 ? "usr/lib" : `link${i - 1}`)]),
  );
  const { tree } = await openTree(directory({
    ...chain,
    absolute: symlink("/usr/lib/some.so"),
    bin: symlink("usr/bin"),
    dangling: symlink("nowhere/at/all"),
    etc: directory({ passwd: file(), up: symlink("../../../../usr"), self: symlink(".") }),
    file: file(),
    fileslash: symlink("file/"),
    lib: symlink("usr/lib/"),
    loop: symlink("pool"),
    pool: symlink("loop"),
    slash: symlink("/"),
    usr: directory({
      bin: directory({ tool: symlink("../lib/tool") }),
      lib: directory({ tool: file(), "some.so": symlink("some.so.1"), "some.so.1": file() }),
    }),
  }));
  return tree;
}

Deno.test("paths without links", async () => {
  const tree = await linkedTree();
  const tool = tree.find("/usr/lib/tool")!;
  assert.equal(tree.path(tool), "/usr/lib/tool");
  for (const path of ["usr/lib/tool", "//usr///lib/./tool", "/usr/../usr/lib/../lib/tool", "/../../usr/lib/tool"]) {
    assert.equal(tree.find(path), tool, path);
  }
  for (const path of ["", "/", ".", "..", "///", "/..", "/usr/..", "/etc/../."]) assert.equal(tree.find(path), 1, path);
  for (
    const path of ["x", "/usr/x", "/usr/lib/tool/x", "/file/..", "/file/.", "/file/", "/usr/lib/too", "/usr/lib/tooll"]
  ) {
    assert.equal(tree.find(path), undefined, path);
  }
  assert.equal(tree.find("/usr/lib/"), tree.find("/usr/lib"));
});

Deno.test("links on the way are followed inside the root", async () => {
  const tree = await linkedTree();
  const found = (path: string) => tree.path(tree.find(path) ?? 0);
  assert.equal(found("/bin/tool"), "/usr/lib/tool");
  assert.equal(found("/lib/some.so"), "/usr/lib/some.so.1");
  assert.equal(found("/absolute"), "/usr/lib/some.so.1");
  assert.equal(found("/etc/up/lib/tool"), "/usr/lib/tool");
  assert.equal(found("/etc/self/self/passwd"), "/etc/passwd");
  assert.equal(found("/slash/etc/passwd"), "/etc/passwd");
  assert.equal(found("/bin/../lib/tool"), "/usr/lib/tool"); // .. of where the link leads
  for (const path of ["/dangling", "/dangling/x", "/absolute/", "/fileslash", "/fileslash/"]) {
    assert.equal(tree.find(path), undefined, path);
  }
});

Deno.test("the last link is followed unless it is asked for", async () => {
  const tree = await linkedTree();
  const own = (path: string) => tree.find(path, { followLast: false });
  assert.equal(tree.path(own("/bin")!), "/bin");
  assert.equal(tree.path(own("/dangling")!), "/dangling");
  assert.equal(tree.path(own("/loop")!), "/loop");
  assert.equal(tree.path(own("/bin/tool")!), "/usr/bin/tool");
  assert.equal(own("/bin/"), tree.find("/usr/bin")); // a slash at the end follows, as in lstat(2)
  assert.equal(own("/bin//"), tree.find("/usr/bin"));
  assert.equal(own("/bin/."), tree.find("/usr/bin"));
  assert.equal(own("/absolute/"), undefined);
  assert.equal(own("/loop/"), undefined);
});

Deno.test("forty links are followed, loops end", async () => {
  const tree = await linkedTree();
  assert.equal(tree.find("/link39"), tree.find("/usr/lib"));
  assert.equal(tree.find("/link40"), undefined);
  assert.equal(tree.path(tree.find("/link40", { followLast: false })!), "/link40");
  for (const path of ["/loop", "/pool/x", "/loop/"]) assert.equal(tree.find(path), undefined);
});

Deno.test("find agrees with the model on any path of the model's names", async () => {
  const tree = await linkedTree();
  const names = ["usr", "lib", "bin", "tool", "etc", "up", "self", "loop", "absolute", "file", ".", "..", "", "link3"];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...names), { maxLength: 8 }), fc.boolean(), (parts, followLast) => {
      const inode = tree.find(parts.join("/"), { followLast });
      assert.equal(inode, walk(tree, parts, followLast)?.at(-1));
    }),
    { numRuns: 2000 },
  );
});

/** Path resolution over again, another way: recursive, and with the way to the root kept instead of parents. */
function walk(tree: Tree, parts: readonly ByteString[], followLast: boolean): number[] | undefined {
  let links = 40;
  const step = (way: number[], name: ByteString, follow: boolean): number[] | undefined => {
    const here = way.at(-1)!;
    if (tree.columns.mode[here]! >> 12 !== 4) return undefined;
    if (name === "" || name === ".") return way;
    if (name === "..") return way.length > 1 ? way.slice(0, -1) : way;
    const child = [...tree.children(here)].find((entry) => entry.name === name)?.inode;
    if (child === undefined) return undefined;
    if (tree.columns.mode[child]! >> 12 !== 10 || !follow) return [...way, child];
    if (links-- === 0) return undefined;
    const target = tree.target(child);
    return resolve(target.startsWith("/") ? [1] : way, target.split("/"), true);
  };
  const resolve = (from: number[], names: readonly ByteString[], follow: boolean): number[] | undefined => {
    let way: number[] | undefined = from;
    for (const [index, name] of names.entries()) {
      if (way !== undefined) way = step(way, name, follow || index < names.length - 1);
    }
    return way;
  };
  return resolve([1], parts, followLast);
}

Deno.test("lookup finds each name and nothing between, at any place in a buffer", async () => {
  const names = ["a", "aa", "ab", "b", "\x7f", "\x80", "\xff", "\xff\xff", "B", "a\x01", "a b", "~"];
  const { tree } = await openTree(directory(Object.fromEntries(names.map((name) => [name, file()]))));
  assert.deepEqual([...tree.children(1)].map(({ name }) => name), [...names].sort(compareByteStrings));
  const lookUp = (name: ByteString) => {
    const bytes = fromByteString(`xx${name}yy`);
    return tree.lookup(1, bytes, 2, bytes.length - 2);
  };
  for (const { name, inode } of tree.children(1)) assert.equal(lookUp(name), inode);
  for (const name of ["", "A", "aaa", "a\x02", "\x00", "\xfe", "\xff\xff\xff", "b\0", "ac"]) {
    assert.equal(lookUp(name), 0, JSON.stringify(name));
  }
});

Deno.test("lookup in an empty directory", async () => {
  const { tree } = await openTree(directory({ empty: directory() }));
  assert.equal(tree.lookup(2, fromByteString("x"), 0, 1), 0);
  assert.deepEqual([...tree.children(2)], []);
});

Deno.test("hard links share an inode, and path() gives one of their paths", async () => {
  const { tree } = await openTree(sampleTree(), sampleLayers());
  const one = tree.find("/usr/bin/one")!;
  assert.equal(tree.find("/usr/bin/two"), one);
  assert.equal(tree.find("/three"), one);
  assert.equal(tree.columns.nlink[one], 3);
  assert.notEqual(tree.find("/usr/bin/sudo"), one);
  assert.ok(["/usr/bin/one", "/usr/bin/two", "/three"].includes(tree.path(one)));
});

Deno.test("numbers go breadth first, children in order of their names", async () => {
  const { tree } = await openTree(
    directory({ b: directory({ y: file() }), a: directory({ z: file(), x: directory({ w: file() }) }), c: file() }),
  );
  const paths = Array.from({ length: tree.inodeCount }, (_, i) => tree.path(i + 1));
  assert.deepEqual(paths, ["/", "/a", "/b", "/c", "/a/x", "/a/z", "/b/y", "/a/x/w"]);
});

Deno.test("attributes that are alike are kept once", async () => {
  const xattrs = () => new Map([["user.x", Uint8Array.of(1)], ["user.y", new Uint8Array(0)]]);
  const { tree } = await openTree(directory({
    a: file(0, undefined, { xattrs: xattrs() }),
    b: file(0, undefined, { xattrs: new Map([...xattrs()].reverse()) }),
    c: file(0, undefined, { xattrs: new Map([["user.x", Uint8Array.of(1)]]) }),
    d: file(0, undefined, { xattrs: new Map() }),
  }));
  const { xattrs: column } = tree.columns;
  assert.equal(column[2], column[3]);
  assert.notEqual(column[2], column[4]);
  assert.equal(column[5], 0);
  assert.equal(tree.xattrsBytes, 4 + 16 + 16 + 4 + 16);
  assert.ok(tree.hasXattrs);
});

Deno.test("a deep tree", async () => {
  let node = file();
  for (let depth = 0; depth < 4000; depth++) node = directory({ d: node });
  const { tree } = await openArchive(memoryRangeSource(archiveBytes(contents(node))));
  assert.equal(tree.inodeCount, 4001);
  assert.equal(tree.find("/d".repeat(4000)), 4001);
  assert.equal(tree.path(4001), "/d".repeat(4000));
});
