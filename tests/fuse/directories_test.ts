import assert from "node:assert/strict";
import { Attr, Dirent, Direntplus, EntryOut, Opcode } from "../../src/fuse/abi.ts";
import { Errno } from "../../src/fuse/mod.ts";
import { MemoryFileSystem, type NodeSpec } from "./memory_file_system.ts";
import { readIn, Replay, text } from "./replay.ts";

interface Entry {
  name: string;
  inode: number;
  next: number;
  type: number;
  node: number | undefined;
  size: number | undefined;
}

/** One reply to READDIR or READDIRPLUS, taken apart. */
function listing(it: Replay, opcode: number, inode: number, offset: number, size = 4096): Entry[] {
  const { error, body, view } = it.ask(opcode, inode, readIn(offset, size));
  assert.equal(error, 0);
  assert.ok(body.length <= size);
  const plus = opcode === Opcode.READDIRPLUS;
  const entries: Entry[] = [];
  let at = 0;
  while (at < body.length) {
    const dirent = plus ? at + Direntplus.dirent : at;
    const nameBytes = view.getUint32(dirent + Dirent.namelen, true);
    const nameAt = dirent + Dirent.sizeBytes;
    entries.push({
      name: text(body.subarray(nameAt, nameAt + nameBytes)),
      inode: view.getUint32(dirent + Dirent.ino, true),
      next: Number(view.getBigUint64(dirent + Dirent.off, true)),
      type: view.getUint32(dirent + Dirent.type, true),
      node: plus ? view.getUint32(at + EntryOut.nodeid, true) : undefined,
      size: plus ? view.getUint32(at + EntryOut.attr + Attr.size, true) : undefined,
    });
    const end = nameAt + nameBytes;
    at = Math.ceil(end / 8) * 8;
    assert.deepEqual(body.subarray(end, at), new Uint8Array(at - end), "padding is zero");
  }
  assert.equal(at, body.length);
  return entries;
}

/** The whole directory, reply after reply. */
function whole(it: Replay, opcode: number, inode: number, size: number): Entry[] {
  const all: Entry[] = [];
  for (let offset = 0;;) {
    const part = listing(it, opcode, inode, offset, size);
    if (part.length === 0) return all;
    all.push(...part);
    offset = part.at(-1)!.next;
  }
}

const TREE: NodeSpec = {
  children: {
    sub: { children: { file: { text: "four" }, link: { target: "x" }, "\xe9": { text: "" }, dir: { children: {} } } },
  },
};

Deno.test("READDIRPLUS: dots without a node, then children with attributes", () => {
  assert.deepEqual(listing(new Replay(new MemoryFileSystem(TREE)), Opcode.READDIRPLUS, 2, 0), [
    { name: ".", inode: 2, next: 1, type: 4, node: 0, size: 0 },
    { name: "..", inode: 1, next: 2, type: 4, node: 0, size: 0 },
    { name: "file", inode: 3, next: 3, type: 8, node: 3, size: 4 },
    { name: "link", inode: 4, next: 4, type: 10, node: 4, size: 1 },
    { name: "\xe9", inode: 5, next: 5, type: 8, node: 5, size: 0 },
    { name: "dir", inode: 6, next: 6, type: 4, node: 6, size: 0 },
  ]);
});

Deno.test("READDIR: the same without", () => {
  const entries = listing(new Replay(new MemoryFileSystem(TREE)), Opcode.READDIR, 2, 0);
  assert.deepEqual(entries.map(({ name, inode, next, type }) => [name, inode, next, type]), [
    [".", 2, 1, 4],
    ["..", 1, 2, 4],
    ["file", 3, 3, 8],
    ["link", 4, 4, 10],
    ["\xe9", 5, 5, 8],
    ["dir", 6, 6, 4],
  ]);
});

Deno.test("the parent of the root is the root; an empty directory has its dots", () => {
  const it = new Replay(new MemoryFileSystem({ children: {} }));
  assert.deepEqual(listing(it, Opcode.READDIRPLUS, 1, 0).map((entry) => entry.inode), [1, 1]);
});

Deno.test("20,000 entries: each once whatever the size of replies, and any offset may be sought", () => {
  const children = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, i) => [`n${i}-${"x".repeat(i % 240)}`, { text: "" }]),
  );
  const it = new Replay(new MemoryFileSystem({ children }));
  for (const opcode of [Opcode.READDIR, Opcode.READDIRPLUS]) {
    for (const size of [512, 4096, 1 << 20]) {
      const all = whole(it, opcode, 1, size);
      assert.deepEqual(all.map((entry) => entry.name), [".", "..", ...Object.keys(children)]);
      if (size !== 4096) continue;
      for (const place of [0, 1, 2, 3, 777, 19_999, 20_000, 20_001]) {
        assert.equal(listing(it, opcode, 1, place)[0]!.name, all[place]!.name);
      }
    }
    for (const past of [20_002, 2 ** 32, 2 ** 53, 2 ** 63]) {
      assert.deepEqual(listing(it, opcode, 1, past), []);
    }
  }
});

Deno.test("names of 255 bytes, and replies that end exactly or one byte short", () => {
  const longest = "n".repeat(255);
  const it = new Replay(new MemoryFileSystem({ children: { [longest]: { text: "" } } }));
  const bytes = (24 + 255 + 7) & ~7;
  assert.deepEqual(listing(it, Opcode.READDIR, 1, 2, bytes).map((entry) => entry.name), [longest]);
  // An empty reply would say that the directory ends there.
  assert.equal(it.ask(Opcode.READDIR, 1, readIn(2, bytes - 1)).error, -Errno.EINVAL);
  assert.equal(it.ask(Opcode.READDIRPLUS, 1, readIn(2, bytes)).error, -Errno.EINVAL);
  assert.equal(it.ask(Opcode.READDIR, 1, readIn(0, 0)).error, -Errno.EINVAL);
});

Deno.test("a size larger than the reply buffer is cut to it", () => {
  const children = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`${i}`.padStart(255, "0"), { text: "" }]));
  const it = new Replay(new MemoryFileSystem({ children }), { replyBytes: 8192 });
  const names = whole(it, Opcode.READDIRPLUS, 1, 0xffffffff).map((entry) => entry.name);
  assert.deepEqual(names, [".", "..", ...Object.keys(children)]);
});

Deno.test("what is no directory, and what is nothing", () => {
  const it = new Replay(new MemoryFileSystem(TREE));
  assert.equal(it.ask(Opcode.READDIRPLUS, 3, readIn(0, 4096)).error, -Errno.ENOTDIR);
  assert.equal(it.ask(Opcode.READDIR, 77, readIn(0, 4096)).error, -Errno.ENOTDIR);
});
