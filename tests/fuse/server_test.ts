import assert from "node:assert/strict";
import { Attr, AttrOut, EntryOut, InitFlag, InitFlag2, InitIn, InitOut, Kstatfs, Opcode } from "../../src/fuse/abi.ts";
import { ClipError, createLogger } from "../../src/base/mod.ts";
import { Errno, type Negotiated } from "../../src/fuse/mod.ts";
import { MemoryFileSystem, type NodeSpec } from "./memory_file_system.ts";
import { encodeRequest, readIn, Replay, text, words } from "./replay.ts";

const TREE: NodeSpec = {
  children: {
    "hello": { text: "hello, world\n", mode: 0o104755, uid: 7, gid: 8, mtimeSeconds: -2, mtimeNanoseconds: 5 },
    "link": { target: "../else/where" },
    "null": { mode: 0o20666, rdev: 0x103 },
    "tags": { text: "t", xattrs: { "user.a": "value", "user.bc": "" } },
    "later": { reading: "deferred", sizeBytes: 2 ** 40 },
    "broken": { reading: "throws", sizeBytes: 10 },
    "liar": { reading: "lies", sizeBytes: 10 },
    "\xff\xfe": { text: "not UTF-8" },
    "sub": { children: { "inner": { text: "i" } } },
  },
};
const [ROOT, HELLO, LINK, NULL, TAGS, LATER, BROKEN, LIAR, , SUB] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

function replay(): Replay {
  return new Replay(new MemoryFileSystem(TREE));
}

function name(value: string): Uint8Array<ArrayBuffer> {
  return words([], `${value}\0`);
}

Deno.test("LOOKUP gives node, times to live and attributes", () => {
  const { error, view } = replay().ask(Opcode.LOOKUP, ROOT, name("hello"));
  assert.equal(error, 0);
  assert.equal(view.byteLength, EntryOut.sizeBytes);
  assert.equal(view.getUint32(EntryOut.nodeid, true), HELLO);
  assert.equal(view.getUint32(EntryOut.generation, true), 0);
  assert.equal(view.getUint32(EntryOut.entry_valid, true), 31_536_000);
  assert.equal(view.getUint32(EntryOut.attr_valid, true), 31_536_000);
  const attr = EntryOut.attr;
  assert.equal(view.getUint32(attr + Attr.ino, true), HELLO);
  assert.equal(view.getUint32(attr + Attr.size, true), 13);
  assert.equal(view.getUint32(attr + Attr.blocks, true), 1);
  assert.equal(view.getBigInt64(attr + Attr.mtime, true), -2n);
  assert.equal(view.getBigInt64(attr + Attr.ctime, true), -2n);
  assert.equal(view.getUint32(attr + Attr.atimensec, true), 5);
  assert.equal(view.getUint32(attr + Attr.mode, true), 0o104755);
  assert.equal(view.getUint32(attr + Attr.uid, true), 7);
  assert.equal(view.getUint32(attr + Attr.gid, true), 8);
  assert.equal(view.getUint32(attr + Attr.nlink, true), 1);
});

Deno.test("LOOKUP of a name that is not UTF-8", () => {
  assert.equal(replay().ask(Opcode.LOOKUP, ROOT, name("\xff\xfe")).view.getUint32(EntryOut.nodeid, true), 9);
});

Deno.test("LOOKUP of a missing name is an answer that the kernel keeps, with nothing left in it of others", () => {
  const it = replay();
  it.ask(Opcode.LOOKUP, ROOT, name("hello"));
  const { error, view, body } = it.ask(Opcode.LOOKUP, ROOT, name("nothing"));
  assert.equal(error, 0);
  assert.equal(view.getUint32(EntryOut.nodeid, true), 0);
  assert.equal(view.getUint32(EntryOut.entry_valid, true), 31_536_000);
  assert.deepEqual(body.subarray(EntryOut.attr), new Uint8Array(Attr.sizeBytes));
});

Deno.test("LOOKUP refuses bad names and bad parents", () => {
  const it = replay();
  assert.equal(it.ask(Opcode.LOOKUP, ROOT, name("n".repeat(256))).error, -Errno.ENAMETOOLONG);
  assert.equal(it.ask(Opcode.LOOKUP, ROOT, name("n".repeat(255))).error, 0);
  assert.equal(it.ask(Opcode.LOOKUP, ROOT, words([], "no end")).error, -Errno.EINVAL);
  assert.equal(it.ask(Opcode.LOOKUP, ROOT, name("")).error, -Errno.EINVAL);
  assert.equal(it.ask(Opcode.LOOKUP, HELLO, name("x")).error, -Errno.ENOTDIR);
  assert.equal(it.ask(Opcode.LOOKUP, 999, name("x")).error, -Errno.ESTALE);
});

Deno.test("GETATTR, also of a device and of sizes over 32 bits", () => {
  const it = replay();
  const device = it.ask(Opcode.GETATTR, NULL, words([0, 0, 0, 0]));
  assert.equal(device.view.byteLength, AttrOut.sizeBytes);
  assert.equal(device.view.getUint32(AttrOut.attr_valid, true), 31_536_000);
  assert.equal(device.view.getUint32(AttrOut.attr + Attr.rdev, true), 0x103);
  const large = it.ask(Opcode.GETATTR, LATER, words([0, 0, 0, 0]));
  assert.equal(large.view.getBigUint64(AttrOut.attr + Attr.size, true), 2n ** 40n);
  assert.equal(it.ask(Opcode.GETATTR, 999).error, -Errno.ESTALE);
});

Deno.test("a node over 32 bits is stale, whatever its low half", () => {
  const bytes = encodeRequest(Opcode.GETATTR, ROOT, words([0, 0, 0, 0]));
  new DataView(bytes.buffer).setUint32(20, 1, true);
  assert.equal(replay().sendBytes(bytes)?.error, -Errno.ESTALE);
});

Deno.test("READLINK", () => {
  const it = replay();
  assert.equal(text(it.ask(Opcode.READLINK, LINK).body), "../else/where");
  assert.equal(it.ask(Opcode.READLINK, HELLO).error, -Errno.EINVAL);
});

Deno.test("READ within, across and past the end", () => {
  const it = replay();
  assert.equal(text(it.ask(Opcode.READ, HELLO, readIn(0, 4096)).body), "hello, world\n");
  assert.equal(text(it.ask(Opcode.READ, HELLO, readIn(7, 5)).body), "world");
  assert.equal(text(it.ask(Opcode.READ, HELLO, readIn(12, 100)).body), "\n");
  for (const offset of [13, 2 ** 40, 2 ** 53, 2 ** 63]) {
    assert.equal(it.ask(Opcode.READ, HELLO, readIn(offset, 100)).body.length, 0, `${offset}`);
  }
  assert.equal(it.ask(Opcode.READ, SUB, readIn(0, 10)).error, -Errno.EISDIR);
});

Deno.test("READ takes what INIT promised and never gives less than asked because of its buffer", () => {
  const mebibyte = "0123456789abcdef".repeat(65536);
  const it = new Replay(new MemoryFileSystem({ children: { large: { text: mebibyte } } }));
  assert.equal(text(it.ask(Opcode.READ, 2, readIn(0, 1 << 20)).body), mebibyte);
  assert.equal(it.ask(Opcode.READ, 2, readIn(0, 0xffffffff)).error, -Errno.EINVAL);
});

Deno.test("a deferred READ gets no reply but is reported with all 64 bits of its number", () => {
  const it = replay();
  assert.equal(it.send(Opcode.READ, LATER, readIn(2 ** 33 + 5, 65536)), undefined);
  assert.deepEqual(it.deferred, [
    { uniqueLow: 0x89abcdef, uniqueHigh: 0x80000001, inode: LATER, offset: 2 ** 33 + 5, lengthBytes: 65536, pid: 4711 },
  ]);
});

Deno.test("an observer is told of every request, and of the READs that are answered at once", () => {
  const told: unknown[] = [];
  let time = 100;
  const it = new Replay(new MemoryFileSystem(TREE), {
    observer: {
      onRequest: (...request) => told.push(request),
      onRead: (...read) => told.push(read),
      now: () => time += 3,
    },
  });
  it.ask(Opcode.READ, HELLO, readIn(2, 1000));
  assert.deepEqual(told.splice(0), [[HELLO, 2, 11, 4711, 103], [Opcode.READ, 0]]);
  it.send(Opcode.READ, LATER, readIn(0, 10));
  it.send(Opcode.FORGET, HELLO, words([1, 0]));
  it.ask(Opcode.LOOKUP, 1, name("none"));
  it.ask(Opcode.READ, LIAR, readIn(0, 10));
  it.ask(99, 1);
  assert.deepEqual(told, [
    [Opcode.READ, 0],
    [Opcode.FORGET, 0],
    [Opcode.LOOKUP, 0],
    [Opcode.READ, Errno.EIO],
    [99, Errno.ENOSYS],
  ]);
});

Deno.test("a file system that throws, or claims the impossible, makes EIO and a log line", () => {
  const lines: string[] = [];
  const log = createLogger({ level: "info", write: (line) => lines.push(line) });
  const it = new Replay(new MemoryFileSystem(TREE), { log });
  assert.equal(it.ask(Opcode.READ, BROKEN, readIn(0, 10)).error, -Errno.EIO);
  assert.match(lines.join(), /this file cannot be read/);
  assert.equal(it.ask(Opcode.READ, LIAR, readIn(0, 10)).error, -Errno.EIO);
  for (let i = 0; i < 500; i++) it.ask(Opcode.READ, BROKEN, readIn(0, 10));
  assert.equal(lines.length, 100);
});

Deno.test("an error of clip's own in a handler becomes its errno", () => {
  const onDeferred = () => {
    throw new ClipError("aborted", "stopped");
  };
  const it = new Replay(new MemoryFileSystem(TREE), { onDeferred });
  assert.equal(it.ask(Opcode.READ, LATER, readIn(0, 10)).error, -Errno.EINTR);
});

Deno.test("extended attributes: names, values, lengths", () => {
  const it = replay();
  const length = it.ask(Opcode.LISTXATTR, TAGS, words([0, 0]));
  assert.equal(length.view.getUint32(0, true), 15);
  assert.equal(length.body.length, 8);
  assert.equal(text(it.ask(Opcode.LISTXATTR, TAGS, words([64, 0])).body), "user.a\0user.bc\0");
  assert.equal(it.ask(Opcode.LISTXATTR, TAGS, words([14, 0])).error, -Errno.ERANGE);
  assert.equal(it.ask(Opcode.GETXATTR, TAGS, words([0, 0], "user.a\0")).view.getUint32(0, true), 5);
  assert.equal(text(it.ask(Opcode.GETXATTR, TAGS, words([5, 0], "user.a\0")).body), "value");
  assert.equal(it.ask(Opcode.GETXATTR, TAGS, words([100, 0], "user.bc\0")).body.length, 0);
  assert.equal(it.ask(Opcode.GETXATTR, TAGS, words([4, 0], "user.a\0")).error, -Errno.ERANGE);
  assert.equal(it.ask(Opcode.GETXATTR, TAGS, words([4, 0], "user.x\0")).error, -Errno.ENODATA);
  assert.equal(it.ask(Opcode.GETXATTR, TAGS, words([4, 0], "user.a")).error, -Errno.EINVAL);
});

Deno.test("where no node has extended attributes the kernel is told never to ask for one; lists are empty", () => {
  const it = new Replay(new MemoryFileSystem({ children: {} }));
  assert.equal(it.ask(Opcode.GETXATTR, ROOT, words([0, 0], "user.a\0")).error, -Errno.ENOSYS);
  assert.equal(it.ask(Opcode.LISTXATTR, ROOT, words([0, 0])).view.getUint32(0, true), 0);
  assert.equal(it.ask(Opcode.LISTXATTR, ROOT, words([64, 0])).body.length, 0);
});

Deno.test("STATFS", () => {
  const { view } = replay().ask(Opcode.STATFS, ROOT);
  assert.equal(view.byteLength, Kstatfs.sizeBytes);
  assert.equal(view.getUint32(Kstatfs.blocks, true), 1);
  assert.equal(view.getUint32(Kstatfs.bfree, true), 0);
  assert.equal(view.getUint32(Kstatfs.files, true), 11);
  assert.equal(view.getUint32(Kstatfs.namelen, true), 255);
});

Deno.test("opening, closing and what the kernel does better itself is declined once", () => {
  const it = replay();
  const { OPEN, OPENDIR, FLUSH, FSYNC, FSYNCDIR, ACCESS, LSEEK, POLL, BMAP, STATX } = Opcode;
  for (const opcode of [OPEN, OPENDIR, FLUSH, FSYNC, FSYNCDIR, ACCESS, LSEEK, POLL, BMAP, STATX]) {
    assert.equal(it.ask(opcode, HELLO, words([0, 0, 0, 0])).error, -Errno.ENOSYS, `${opcode}`);
  }
  assert.equal(it.ask(Opcode.RELEASE, HELLO, words([0, 0, 0, 0, 0, 0])).error, 0);
  assert.equal(it.ask(Opcode.DESTROY, 0).error, 0);
  assert.equal(it.ask(Opcode.IOCTL, HELLO, words([0, 0, 0, 0])).error, -Errno.ENOTTY);
});

Deno.test("every change is refused with EROFS", () => {
  const it = replay();
  const { SETATTR, SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, RENAME2, LINK, WRITE, CREATE } = Opcode;
  const { TMPFILE, FALLOCATE, COPY_FILE_RANGE, SETXATTR, REMOVEXATTR } = Opcode;
  const changes = [SETATTR, SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, RENAME2, LINK, WRITE, CREATE];
  for (const opcode of [...changes, TMPFILE, FALLOCATE, COPY_FILE_RANGE, SETXATTR, REMOVEXATTR]) {
    assert.equal(it.ask(opcode, ROOT, words([0, 0, 0, 0], "name\0")).error, -Errno.EROFS, `${opcode}`);
  }
});

Deno.test("FORGET, BATCH_FORGET and INTERRUPT get no reply, malformed or not", () => {
  const it = replay();
  assert.equal(it.send(Opcode.FORGET, HELLO, words([1, 0])), undefined);
  assert.equal(it.send(Opcode.FORGET, HELLO), undefined);
  const wrongLength = encodeRequest(Opcode.FORGET, HELLO, words([1, 0]));
  wrongLength[0]!++;
  assert.equal(it.sendBytes(wrongLength), undefined);
  assert.equal(it.send(Opcode.BATCH_FORGET, 0, words([1, 0, 2, 0, 1, 0])), undefined);
  assert.equal(it.send(Opcode.INTERRUPT, 0, words([17, 0x80000000])), undefined);
  assert.deepEqual(it.interrupted, [[17, 0x80000000]]);
});

Deno.test("opcodes that nobody knows", () => {
  const it = replay();
  for (const opcode of [0, 7, 19, 60, 4096, 0xffffffff]) assert.equal(it.ask(opcode, ROOT).error, -Errno.ENOSYS);
});

Deno.test("a request that is cut off, or lies about its length, gets EINVAL; one without a header nothing", () => {
  const it = replay();
  const whole = encodeRequest(Opcode.READ, HELLO, readIn(0, 10));
  for (let bytes = 0; bytes < whole.length; bytes++) {
    const cut = whole.slice(0, bytes);
    assert.equal(it.sendBytes(cut)?.error, bytes < 40 ? undefined : -Errno.EINVAL);
    if (bytes < 40) continue;
    new DataView(cut.buffer).setUint32(0, bytes, true);
    assert.equal(it.sendBytes(cut)?.error, -Errno.EINVAL, `${bytes} bytes`);
  }
  assert.equal(it.server.handle(8193), 0);
  assert.equal(it.server.handle(-1), 0);
});

function initBody(fields: Partial<Record<"major" | "minor" | "flags" | "flags2" | "readahead", number>>): Uint8Array {
  const { major = 7, minor = 45, readahead = 1 << 17, flags = 0xffffffff, flags2 = 0xffffffff } = fields;
  const body = new Uint8Array(InitIn.sizeBytes);
  body.set(words([major, minor, readahead, flags, flags2]));
  return body;
}

Deno.test("INIT takes what it can use of what is offered", () => {
  let settled: Negotiated | undefined;
  const onInit = (negotiated: Negotiated) => void (settled = negotiated);
  const it = new Replay(new MemoryFileSystem(TREE), { onInit });
  const { view, body } = it.ask(Opcode.INIT, 0, initBody({}));
  assert.equal(body.length, 64);
  const wanted = InitFlag.ASYNC_READ | InitFlag.DO_READDIRPLUS | InitFlag.PARALLEL_DIROPS | InitFlag.MAX_PAGES |
    InitFlag.CACHE_SYMLINKS | InitFlag.INIT_EXT;
  assert.equal(view.getUint32(InitOut.flags, true), wanted >>> 0);
  assert.equal(view.getUint32(InitOut.flags2, true), InitFlag2.ALLOW_IDMAP);
  assert.equal(view.getUint16(InitOut.max_pages, true), 256);
  assert.equal(view.getUint32(InitOut.max_write, true), 4096);
  assert.equal(view.getUint16(InitOut.max_background, true), 256);
  assert.equal(view.getUint16(InitOut.congestion_threshold, true), 192);
  assert.equal(view.getUint32(InitOut.max_readahead, true), 1 << 17);
  assert.equal(settled?.hasResend, true);
  assert.equal(settled?.maxReadBytes, 1 << 20);
  assert.equal(settled?.minor, 45);
});

Deno.test("INIT of an old kernel: nothing that was not offered, the short body, small reads", () => {
  let settled: Negotiated | undefined;
  const onInit = (negotiated: Negotiated) => void (settled = negotiated);
  const it = new Replay(new MemoryFileSystem(TREE), { onInit });
  const { view } = it.ask(Opcode.INIT, 0, initBody({ minor: 23, flags: InitFlag.ASYNC_READ }).slice(0, 16));
  assert.equal(view.getUint32(InitOut.flags, true), InitFlag.ASYNC_READ);
  assert.equal(view.getUint32(InitOut.flags2, true), 0);
  assert.equal(settled?.maxReadBytes, 131072);
  assert.equal(settled?.hasResend, false);
});

Deno.test("INIT: max_pages counts the kernel's pages; readahead is bounded; versions", () => {
  const large = new Replay(new MemoryFileSystem(TREE), { pageBytes: 65536, maxReadaheadBytes: 65536, idmap: false });
  const { view } = large.ask(Opcode.INIT, 0, initBody({}));
  assert.equal(view.getUint16(InitOut.max_pages, true), 16);
  assert.equal(view.getUint32(InitOut.max_readahead, true), 65536);
  assert.equal(view.getUint32(InitOut.flags2, true), 0);
  const it = replay();
  assert.equal(it.ask(Opcode.INIT, 0, initBody({ minor: 22 })).error, -Errno.EPROTO);
  assert.equal(it.ask(Opcode.INIT, 0, initBody({ major: 6 })).error, -Errno.EPROTO);
  const newer = it.ask(Opcode.INIT, 0, initBody({ major: 8, minor: 0 }));
  assert.equal(newer.view.getUint32(InitOut.major, true), 7);
  assert.equal(newer.view.getUint32(InitOut.flags, true), 0);
});

Deno.test("failReply turns the last reply into an error to the same request", () => {
  const it = replay();
  it.ask(Opcode.READ, HELLO, readIn(0, 10));
  assert.equal(it.server.failReply(Errno.EIO), 16);
  assert.deepEqual([...new Int32Array(it.server.reply.buffer, 0, 2)], [16, -Errno.EIO]);
  assert.equal(new Uint32Array(it.server.reply.buffer, 8, 1)[0], 0x89abcdef);
});
