import assert from "node:assert/strict";
import { Errno, libc, LockOperation, OpenFlag } from "../../src/fuse/mod.ts";

// Opened here, and for good: a library opened during a test counts as a leak of it.
libc();

Deno.test("open, pread into the middle of a buffer, close", async () => {
  const path = await Deno.makeTempFile();
  try {
    const contents = crypto.getRandomValues(new Uint8Array(10_000));
    await Deno.writeFile(path, contents);
    const fd = libc().open(path, OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC);
    assert.ok(fd > 2);
    const buffer = new Uint8Array(9000);
    assert.equal(libc().pread(fd, buffer, 1000, 4000, 5000), 4000);
    assert.deepEqual(buffer.subarray(1000, 5000), contents.subarray(5000, 9000));
    assert.deepEqual(buffer.subarray(0, 1000), new Uint8Array(1000));
    assert.deepEqual(buffer.subarray(5000), new Uint8Array(4000));
    assert.equal(libc().pread(fd, buffer, 0, 9000, 9500), 500);
    assert.equal(libc().pread(fd, buffer, 0, 9000, 2 ** 40), 0);
    assert.equal(libc().pread(fd, buffer.subarray(100), 0, 10, 0), 10);
    assert.deepEqual(buffer.subarray(100, 110), contents.subarray(0, 10));
    assert.equal(libc().close(fd), 0);
    assert.equal(libc().close(fd), -Errno.EBADF);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("failures are negative error numbers", () => {
  assert.equal(libc().open("/nowhere/at all", OpenFlag.O_RDONLY), -Errno.ENOENT);
  assert.equal(libc().open("/proc", OpenFlag.O_RDWR), -Errno.EISDIR);
  assert.equal(libc().read(-1, new Uint8Array(1), 1), -Errno.EBADF);
});

Deno.test("memory outside a buffer is never named to the kernel", () => {
  const fd = libc().open("/dev/zero", OpenFlag.O_RDONLY);
  const buffer = new Uint8Array(100);
  assert.equal(libc().pread(fd, buffer, 0, 100, 0), 100);
  assert.equal(libc().pread(fd, buffer, 1, 100, 0), -Errno.EFAULT);
  assert.equal(libc().pread(fd, buffer, -1, 10, 0), -Errno.EFAULT);
  assert.equal(libc().pread(fd, buffer, 0, -10, 0), -Errno.EFAULT);
  // The address of this buffer is remembered; once it is given away it must not be used.
  structuredClone(buffer, { transfer: [buffer.buffer] });
  assert.equal(libc().pread(fd, buffer, 0, 100, 0), -Errno.EFAULT);
  libc().close(fd);
});

Deno.test("pipes, waiting and locks", async () => {
  const library = libc();
  const ends = new Int32Array(2);
  assert.equal(library.pipe(ends), 0);
  const [from, to] = ends as unknown as [number, number];
  assert.equal(library.waitReadable(from, 1), 0);
  assert.equal(library.write(to, Uint8Array.of(1, 2, 3), 2), 2);
  assert.equal(library.waitReadable(from, 1000), 1);
  const buffer = new Uint8Array(10);
  assert.equal(library.read(from, buffer, 10), 2);
  assert.deepEqual([...buffer.subarray(0, 3)], [1, 2, 0]);
  library.close(from);
  library.close(to);

  const path = await Deno.makeTempFile();
  const first = library.open(path, OpenFlag.O_RDWR);
  const second = library.open(path, OpenFlag.O_RDWR);
  assert.equal(library.flock(first, LockOperation.LOCK_EX | LockOperation.LOCK_NB), 0);
  assert.equal(library.flock(second, LockOperation.LOCK_EX | LockOperation.LOCK_NB), -Errno.EAGAIN);
  library.close(first);
  assert.equal(library.flock(second, LockOperation.LOCK_EX | LockOperation.LOCK_NB), 0);
  library.close(second);
  await Deno.remove(path);
});

Deno.test("a descriptor reaches another program, or does not", async () => {
  const library = libc();
  const fd = library.open("/dev/null", OpenFlag.O_RDONLY);
  const seen = async () => {
    const { stdout } = await new Deno.Command("ls", { args: ["/proc/self/fd"] }).output();
    return new TextDecoder().decode(stdout).split("\n").includes(`${fd}`);
  };
  assert.equal(await seen(), true);
  assert.equal(library.setCloseOnExec(fd, true), 0);
  assert.equal(await seen(), false);
  library.close(fd);
});

Deno.test("the size of a page", () => {
  assert.ok([4096, 16384, 65536].includes(libc().pageBytes()));
});

Deno.test("the clock goes as the system's does", async () => {
  const outer = performance.now();
  const inner = libc().now();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const elapsedMs = (libc().now() - inner) / 1000;
  const mostMs = performance.now() - outer;
  assert.ok(elapsedMs >= 4 && elapsedMs <= mostMs, `${elapsedMs} ms in ${mostMs}`);
});
