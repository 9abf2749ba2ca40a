import assert from "node:assert/strict";
import { ClipError } from "../../src/base/mod.ts";
import {
  Errno,
  isFuseMounted,
  isServerGone,
  libc,
  mountFuse,
  readMounts,
  requestResend,
  setReadahead,
} from "../../src/fuse/mod.ts";
import { unmountFuse } from "../../src/fuse/mod.ts";
import { Mounted, mountTree, run, whyNoMounts } from "./mounted.ts";

// Opened here, and for good: a library opened during a test counts as a leak of it.
libc();

const reason = whyNoMounts();
// deno-lint-ignore no-console -- a skip says why
if (reason !== undefined) console.log(`skipped: real mounts: ${reason}`);

/** A test that needs a kernel. A lost reply would hang it, hence the bound. */
function mountTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: reason !== undefined, fn: () => within(30_000, fn()) });
}

async function within<Value>(timeoutMs: number, work: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs} ms`)), timeoutMs);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function isClip(code: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof ClipError && error.code === code && pattern.test(error.message);
}

const LARGE = Array.from({ length: 300_000 }, (_, i) => String(i).padStart(9, "0")).join(" ");

mountTest("ls, find, cat, stat, readlink and cmp see what is served", async () => {
  await using it = await mountTree({
    children: {
      "a.txt": {
        text: "hello\n",
        mode: 0o104711,
        uid: 12,
        gid: 34,
        mtimeSeconds: -3600,
        mtimeNanoseconds: 250_000_000,
      },
      "dir": { children: { "deep": { text: "1" }, "with space": { text: "" } } },
      "link": { target: "dir/deep" },
      "null": { mode: 0o20666, rdev: 0x103 },
      "large": { text: LARGE },
    },
  });
  const { path } = it;
  assert.equal((await run("cat", `${path}/a.txt`)).out, "hello\n");
  assert.equal((await run("cat", `${path}/link`)).out, "1");
  assert.equal((await run("readlink", `${path}/link`)).out, "dir/deep\n");
  assert.equal((await run("stat", "-c", "%f %u %g %s %.2Y %h %i", `${path}/a.txt`)).out, "89c9 12 34 6 -3599.75 1 2\n");
  assert.equal((await run("stat", "-c", "%F %t %T", `${path}/null`)).out, "character special file 1 3\n");
  const found = (await run("find", path, "-printf", "%P|%y|%s\n")).out.split("\n").sort();
  assert.deepEqual(found, [
    "",
    "a.txt|f|6",
    "dir/deep|f|1",
    "dir/with space|f|0",
    "dir|d|0",
    "large|f|2999999",
    "link|l|8",
    "null|c|0",
    "|d|0",
  ]);
  assert.equal(await Deno.readTextFile(`${path}/large`), LARGE);
  assert.equal((await run("dd", `if=${path}/large`, "bs=1M", "iflag=direct", "status=none")).out, LARGE);
  assert.equal((await run("cat", `${path}/missing`)).status, 1);
  assert.equal((await run("stat", "-f", "-c", "%c %d %a %l", path)).out, "8 0 0 255\n");
  assert.equal(it.negotiated?.maxReadBytes, 1 << 20);
});

mountTest("what was asked once is not asked again", async () => {
  const requestsOf = async (rounds: number) => {
    const it = await mountTree({ children: { file: { text: "x" }, link: { target: "file" } } });
    for (let round = 0; round < rounds; round++) {
      await run("cat", `${it.path}/file`, `${it.path}/link`);
      await run("ls", "-la", it.path, `${it.path}/missing`);
      await run("getfattr", "-d", "-m", "-", it.path);
    }
    await it[Symbol.asyncDispose]();
    return (await it.ended).handled;
  };
  const once = await requestsOf(1);
  const thrice = await requestsOf(3);
  assert.ok(once > 5 && thrice - once <= 2, `${once} requests of one round, ${thrice} of three`);
});

mountTest("extended attributes reach getfattr", async () => {
  const xattrs = { "user.a": "one", "user.b": "two", "security.capability": "not shown by -d" };
  await using it = await mountTree({ children: { tagged: { text: "", xattrs }, bare: { text: "" } } });
  const { out } = await run("getfattr", "--absolute-names", "-d", "-m", "user", `${it.path}/tagged`, `${it.path}/bare`);
  assert.equal(out, `# file: ${it.path}/tagged\nuser.a="one"\nuser.b="two"\n\n`);
  assert.notEqual((await run("getfattr", "-n", "user.none", `${it.path}/tagged`)).status, 0);
});

mountTest("every change is refused as on any read-only file system", async () => {
  await using it = await mountTree({ children: { file: { text: "x" }, dir: { children: {} } } });
  const { path } = it;
  const changes = [
    ["touch", `${path}/file`],
    ["touch", `${path}/new`],
    ["mkdir", `${path}/new`],
    ["rm", "-f", `${path}/file`],
    ["rmdir", `${path}/dir`],
    ["chmod", "600", `${path}/file`],
    ["chown", "1", `${path}/file`],
    ["mv", `${path}/file`, `${path}/other`],
    ["ln", `${path}/file`, `${path}/other`],
    ["ln", "-s", "x", `${path}/other`],
    ["mkfifo", `${path}/fifo`],
    ["setfattr", "-n", "user.a", "-v", "1", `${path}/file`],
    ["dd", "if=/dev/zero", `of=${path}/file`, "count=1", "conv=notrunc"],
  ];
  for (const [program, ...args] of changes) {
    const { status, error } = await run(program!, ...args);
    assert.notEqual(status, 0, program);
    assert.match(error, /Read-only file system/, `${program} ${args.join(" ")}`);
  }
});

mountTest("a deferred read is answered from the main thread", async () => {
  await using it = await mountTree({ children: { later: { reading: "deferred", sizeBytes: 3_000_000 } } });
  it.onDeferred = (read) => {
    const buffer = new Uint8Array(16 + read.lengthBytes);
    for (let i = 0; i < read.lengthBytes; i++) buffer[16 + i] = (read.offset + i) % 251;
    const dataBytes = Math.max(0, Math.min(read.lengthBytes, 3_000_000 - read.offset));
    assert.equal(it.replies.replyData(read, buffer, dataBytes), true);
    assert.equal(it.replies.replyData(read, buffer, dataBytes), false, "a second reply is nobody's");
  };
  const bytes = await Deno.readFile(`${it.path}/later`);
  assert.equal(bytes.length, 3_000_000);
  assert.ok(bytes.every((byte, i) => byte === i % 251));
});

mountTest("a deferred read that fails, or is answered with too much, is EIO; the next one may succeed", async () => {
  await using it = await mountTree({ children: { later: { reading: "deferred", sizeBytes: 100 } } });
  it.onDeferred = (read) => it.replies.replyError(read, Errno.EIO);
  assert.match((await run("cat", `${it.path}/later`)).error, /Input\/output error/);
  it.onDeferred = (read) => it.replies.replyData(read, new Uint8Array(20 + read.lengthBytes), read.lengthBytes + 1);
  assert.match((await run("cat", `${it.path}/later`)).error, /Input\/output error/);
  it.onDeferred = (read) => it.replies.replyData(read, new Uint8Array(116).fill(97), 100);
  assert.equal((await run("cat", `${it.path}/later`)).out, "a".repeat(100));
});

mountTest("a reader that is killed goes at once: of readahead silently, of a direct read by an interrupt", async () => {
  await using it = await mountTree({ children: { later: { reading: "deferred", sizeBytes: 1 << 20 } } });
  let interrupts = 0;
  it.onInterrupt = (uniqueLow, uniqueHigh) => {
    interrupts++;
    assert.equal(it.replies.replyInterrupted(uniqueLow, uniqueHigh), true);
    assert.equal(it.replies.replyInterrupted(uniqueLow, uniqueHigh), false);
  };
  for (const flags of [[], ["iflag=direct"]]) {
    const arrived = new Promise<void>((resolve) => it.onDeferred = () => resolve());
    const args = [`if=${it.path}/later`, "of=/dev/null", "bs=64K", ...flags];
    const reader = new Deno.Command("dd", { args, stderr: "null" }).spawn();
    await arrived;
    reader.kill("SIGKILL");
    assert.equal((await within(5000, reader.status)).signal, "SIGKILL");
    assert.equal(interrupts, flags.length);
  }
});

mountTest("20,000 entries: all listed, and telldir and seekdir agree", async () => {
  const children = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`entry-${i}`, { text: "" }]));
  await using it = await mountTree({ children });
  assert.equal((await run("ls", "-f", it.path)).out.split("\n").length, 20_003);
  assert.equal((await run("find", it.path, "-type", "f", "-size", "0")).out.split("\n").length, 20_001);
  const library = Deno.dlopen("libc.so.6", {
    opendir: { parameters: ["buffer"], result: "pointer" },
    readdir: { parameters: ["pointer"], result: "pointer" },
    telldir: { parameters: ["pointer"], result: "i64" },
    seekdir: { parameters: ["pointer", "i64"], result: "void" },
    closedir: { parameters: ["pointer"], result: "i32" },
  });
  try {
    const { opendir, readdir, telldir, seekdir, closedir } = library.symbols;
    const directory = opendir(new TextEncoder().encode(`${it.path}\0`));
    // struct dirent: d_name is at byte 19.
    const next = () => {
      const entry = readdir(directory);
      return entry === null ? undefined : new Deno.UnsafePointerView(entry).getCString(19);
    };
    const places: [bigint, string][] = [];
    for (;;) {
      const place = telldir(directory);
      const name = next();
      if (name === undefined) break;
      places.push([place, name]);
    }
    assert.equal(places.length, 20_002);
    assert.deepEqual(places.slice(0, 3).map(([, name]) => name), [".", "..", "entry-0"]);
    for (const index of [20_001, 12_345, 0, 1, 2, 19_999, 5]) {
      const [place, name] = places[index]!;
      seekdir(directory, place);
      assert.equal(next(), name);
    }
    closedir(directory);
  } finally {
    library.close();
  }
});

mountTest("a reply that the kernel refuses becomes EIO, not a caller that sleeps for ever", async () => {
  // The kernel takes symlink targets of less than a page.
  await using it = await mountTree({ children: { link: { target: "x".repeat(5000) } } });
  assert.match((await run("readlink", "-v", `${it.path}/link`)).error, /Input\/output error/);
});

mountTest("unmounting: refused while a file is open, lazily not, and what is open can still be read", async () => {
  const it = await mountTree({ children: { later: { reading: "deferred", sizeBytes: 5 } } });
  it.onDeferred = (read) => it.replies.replyData(read, new Uint8Array(21).fill(98), 5);
  const file = await Deno.open(`${it.path}/later`);
  await assert.rejects(unmountFuse(it.path), isClip("io", /it is in use.*--lazy/));
  assert.equal(await isFuseMounted(it.path), true);
  await unmountFuse(it.path, { lazy: true });
  assert.equal(await isFuseMounted(it.path), false);
  const buffer = new Uint8Array(10);
  assert.equal(await file.read(buffer), 5);
  file.close();
  assert.equal((await it.ended).reason, "unmounted");
  await assert.rejects(unmountFuse(it.path), isClip("not_found", /nothing is mounted there/));
  it.mount.close();
  await Deno.remove(it.path);
});

mountTest("unmounting with a read that nobody answers: it fails, and nothing hangs", async () => {
  const it = await mountTree({ children: { later: { reading: "deferred", sizeBytes: 5 } } });
  const arrived = new Promise<void>((resolve) => it.onDeferred = () => resolve());
  const reading = run("cat", `${it.path}/later`);
  await arrived;
  await unmountFuse(it.path, { force: true });
  assert.equal((await reading).status, 1);
  assert.equal((await it.ended).reason, "unmounted");
  it.mount.close();
  await Deno.remove(it.path);
});

mountTest("mountpoints that cannot be used are refused in one line", async () => {
  await using it = await mountTree({ children: {} });
  assert.equal(await isServerGone(it.path), false);
  await assert.rejects(mountFuse(it.path), isClip("io", /clip \(fuse\.clip\) is mounted there; unmount it first$/));
  await assert.rejects(mountFuse("/proc"), isClip("io", /\(proc\) is mounted there/));
  await assert.rejects(mountFuse(`${it.path}-missing`), isClip("not_found", /^[^\n]+$/));
  const file = await Deno.makeTempFile();
  await assert.rejects(mountFuse(file), isClip("io", /not a directory/));
  await Deno.remove(file);
  await assert.rejects(unmountFuse("/proc"), isClip("io", /no FUSE mount but proc/));
});

mountTest("the mount is found in the table with its options, by any path", async () => {
  await using it = await mountTree({ children: {} }, { fsName: "name, with \\ and space" });
  const mount = (await readMounts()).find(({ mountpoint }) => mountpoint === it.path)!;
  assert.equal(mount.type, "fuse.clip");
  assert.equal(mount.source, "name, with \\ and space");
  for (const option of ["ro", "allow_other", "default_permissions"]) assert.ok(mount.options.includes(option), option);
  for (const option of ["nosuid", "nodev"]) assert.ok(!mount.options.includes(option), option);
  const link = await Deno.makeTempFile();
  await Deno.remove(link);
  await Deno.symlink(it.path, link);
  assert.equal(await isFuseMounted(`${link}/`), true);
  await Deno.remove(link);
});

mountTest("readahead can be raised", async () => {
  await using it = await mountTree({ children: {} });
  const { device } = (await readMounts()).find(({ mountpoint }) => mountpoint === it.path)!;
  if (!await setReadahead(it.path, 2 << 20)) return;
  assert.equal((await Deno.readTextFile(`/sys/class/bdi/${device}/read_ahead_kb`)).trim(), "2048");
});

mountTest("another server takes over a living mount and answers what the first left unanswered", async () => {
  const path = await Deno.makeTempDir();
  const root = { children: { later: { reading: "deferred", sizeBytes: 4 }, file: { text: "file" } } } as const;
  const mount = await mountFuse(path);
  const first = new Mounted(mount, root);
  const arrived = new Promise<void>((resolve) => first.onDeferred = () => resolve());
  const reading = run("cat", `${path}/later`);
  await arrived;
  await first.stop();
  assert.equal((await first.ended).reason, "stopped");
  if (first.negotiated?.hasResend !== true) {
    assert.equal(requestResend(mount.fd), false);
    await first[Symbol.asyncDispose]();
    return;
  }
  await using second = new Mounted(mount, root, true);
  let uniqueHigh = 0;
  second.onDeferred = (read) => {
    uniqueHigh = read.uniqueHigh;
    assert.equal(second.replies.replyData(read, new Uint8Array(20).fill(99), 4), true);
  };
  assert.equal((await reading).out, "cccc");
  assert.equal(uniqueHigh, 0x80000000, "bit 63 marks what was sent again");
  assert.equal((await run("cat", `${path}/file`)).out, "file");
});

mountTest("two loops serve one descriptor", async () => {
  const root = { children: { file: { text: LARGE } } };
  const it = await mountTree(root);
  const second = new Mounted(it.mount, root);
  const sums = await Promise.all([1, 2, 3, 4].map(() => run("md5sum", `${it.path}/file`)));
  assert.equal(new Set(sums.map(({ out }) => out)).size, 1);
  // The descriptor must stay open until both have ended.
  await unmountFuse(it.path);
  assert.equal((await second.ended).reason, "unmounted");
  await it[Symbol.asyncDispose]();
});

mountTest("a mount that is held but not served is refused rather than waited for", async () => {
  const path = await Deno.makeTempDir();
  const mount = await mountFuse(path);
  await assert.rejects(isServerGone(path, 100), isClip("io", /does not answer/));
  await using _ = new Mounted(mount, { children: {} });
  assert.equal(await isServerGone(path), false);
});
