/** An archive mounted for real, served by this process. */
import assert from "node:assert/strict";
import { ClipError, equalBytes, SILENT, sleep } from "../../src/base/mod.ts";
import type { Content, ContentOptions } from "../../src/content/mod.ts";
import { isFuseMounted, libc, LockOperation, mountFuse, OpenFlag, unmountFuse } from "../../src/fuse/mod.ts";
import { type ArchiveMount, mountArchive } from "../../src/mount/mod.ts";
import { makeSample, NO_CACHE, openSample, type Sample, withCacheFolder } from "../content/sample.ts";
import { run, whyNoMounts } from "../fuse/mounted.ts";

// Opened here, and for good: a library opened during a test counts as a leak of it.
libc();

const reason = whyNoMounts();
// deno-lint-ignore no-console -- a skip says why
if (reason !== undefined) console.log(`skipped: mounts of archives: ${reason}`);

interface Mounted {
  readonly path: string;
  readonly mount: ArchiveMount;
  readonly content: Content;
  readonly sample: Sample;
  /** The folder of the cache, where there is one. */
  readonly cacheFolder: string;
}

/** A test with the sample mounted. A lost reply would hang it, hence the bound. */
function mountTest(
  name: string,
  work: (mounted: Mounted) => Promise<void>,
  options: Partial<ContentOptions> = {},
): void {
  Deno.test({
    name,
    ignore: reason !== undefined,
    fn: () =>
      withCacheFolder(async (folder, cache) => {
        const sample = await makeSample();
        const content = openSample(sample, { cache, ...options });
        const path = `${folder}/mount`;
        await Deno.mkdir(path);
        const mount = await mountArchive(content, path, { log: SILENT, logJson: false, writeLog: () => {} });
        try {
          await within(20_000, work({ path, mount, content, sample, cacheFolder: folder }));
        } finally {
          if (await isFuseMounted(path)) await mount.unmount();
          await within(5000, mount.ended);
          content.close();
        }
      }),
  });
}

async function within<Value>(timeoutMs: number, work: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs} ms`)), timeoutMs);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Reads past the kernel's own cache: every read reaches the server. */
async function direct(
  path: string,
  { skip = 0, count = 1 } = {},
): Promise<{ status: number; bytes: Uint8Array; error: string }> {
  const args = [`if=${path}`, "bs=4096", `skip=${skip}`, `count=${count}`, "iflag=direct", "status=none"];
  const { code, stdout, stderr } = await new Deno.Command("dd", { args, env: { LC_ALL: "C" } }).output();
  return { status: code, bytes: stdout, error: new TextDecoder().decode(stderr) };
}

mountTest(
  "the files are the image's, byte for byte, and so are their names and attributes",
  async ({ path, sample }) => {
    for (const [name, bytes] of sample.files) assert(equalBytes(await Deno.readFile(path + name), bytes), name);
    assert(equalBytes(await Deno.readFile(`${path}/link`), sample.files.get("/upper")!));
    const { out } = await run("find", path, "-printf", "%P %y %n %s\n");
    const lines = out.trim().split("\n").sort();
    assert.equal(lines.length, sample.archive.tree.direntCount + 1);
    for (const line of ["same f 2 1100000", "large f 2 1100000", "link l 1 5", "plain d 2 4096", "sparse f 1 300000"]) {
      assert(lines.includes(line), `${line} in ${lines.join("; ")}`);
    }
  },
);

mountTest("without a cache every read is answered by the main thread", async ({ path, sample, content }) => {
  const { bytes } = await direct(`${path}/large`, { skip: 100, count: 2 });
  assert(equalBytes(bytes, sample.files.get("/large")!.subarray(409_600, 417_792)));
  assert.equal(content.counters.servedBytes, 8192);
  await direct(`${path}/large`, { skip: 100, count: 2 });
  assert.equal(content.counters.servedBytes, 16_384);
  assert(equalBytes(await Deno.readFile(`${path}/sparse`), sample.files.get("/sparse")!));
}, { cache: NO_CACHE });

mountTest("what is in the cache is read by the serving thread alone", async ({ path, sample, content }) => {
  const upper = sample.files.get("/upper")!;
  assert(equalBytes((await direct(`${path}/upper`, { count: 200 })).bytes, upper));
  const served = content.counters.servedBytes;
  assert(served > 0 && served <= upper.length);
  assert(equalBytes((await direct(`${path}/upper`, { count: 200 })).bytes, upper));
  assert.equal(content.counters.servedBytes, served, "nothing came from this thread");
  assert.equal(content.counters.requests, sample.sources[2]!.requests.length);
});

const firstTouches: number[] = [];
mountTest(
  "observers hear of each span's first touch, of those too that the serving thread answers",
  async (mounted) => {
    const { path, sample, content } = mounted;
    const { layers } = sample.archive;
    await content.prefetch([{ layer: 2, firstSpan: layers.firstSpan[2]!, endSpan: layers.firstSpan[3]! }]);
    content.watchTouches();
    const served = content.counters.servedBytes;
    for (let round = 0; round < 2; round++) await direct(`${path}/upper`, { count: 200 });
    assert.equal(content.counters.servedBytes, served, "nothing came from this thread");
    const expected = Array.from(
      { length: layers.firstSpan[3]! - layers.firstSpan[2]! },
      (_, i) => layers.firstSpan[2]! + i,
    );
    while (firstTouches.length < expected.length) {
      await sleep(5);
    }
    assert.deepEqual(firstTouches, expected);
  },
  { observer: { onFirstTouch: (_, span) => firstTouches.push(span) }, decodeWorkers: 2 },
);

mountTest("a cache file that is emptied under a mount is filled again", async ({ path, sample, content }) => {
  const upper = sample.files.get("/upper")!;
  assert(equalBytes((await direct(`${path}/upper`, { count: 200 })).bytes, upper));
  await Deno.truncate(content.layerCache(2)!.dataPath!, 0);
  assert(equalBytes((await direct(`${path}/upper`, { count: 200 })).bytes, upper));
});

mountTest("a cache file that is gone is done without", async ({ path, sample, cacheFolder }) => {
  const upper = sample.files.get("/upper")!;
  await Deno.remove(`${cacheFolder}/cache`, { recursive: true });
  assert(equalBytes((await direct(`${path}/upper`, { count: 200 })).bytes, upper));
  assert(equalBytes((await direct(`${path}/upper`, { count: 200 })).bytes, upper));
});

mountTest(
  "a source that fails is EIO, and nothing worse: afterwards the file can be read",
  async ({ path, sample }) => {
    sample.sources[2]!.onPiece = () => {
      throw new ClipError("not_found", "blob 2: gone");
    };
    const failed = await direct(`${path}/upper`);
    assert.equal(failed.status, 1);
    assert.match(failed.error, /Input\/output error/);
    assert.equal((await Deno.readFile(`${path}/small/3`)).length, sample.files.get("/small/3")!.length);
    sample.sources[2]!.onPiece = () => {};
    await sleep(1100);
    assert(equalBytes(await Deno.readFile(`${path}/upper`), sample.files.get("/upper")!));
  },
);

mountTest("damaged layers are EIO, never wrong bytes", async ({ path, sample }) => {
  sample.sources[2]!.onPiece = (piece) => void (piece[piece.length >> 1]! ^= 1);
  assert.match((await direct(`${path}/upper`)).error, /Input\/output error/);
});

mountTest("a reader who waits can be killed; others are served meanwhile", async ({ path, sample }) => {
  const hold = Promise.withResolvers<void>();
  sample.sources[2]!.onPiece = () => hold.promise;
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    const args = [`if=${path}/upper`, "of=/dev/null", "bs=4096", "count=1", "iflag=direct"];
    const child = new Deno.Command("dd", { args, stdout: "null", stderr: "null" }).spawn();
    await sleep(150);
    assert(equalBytes(await Deno.readFile(`${path}/plain/b`), sample.files.get("/plain/b")!));
    child.kill(signal);
    const status = await within(3000, child.status);
    assert.equal(status.signal, signal);
  }
  hold.resolve();
  assert(equalBytes(await Deno.readFile(`${path}/upper`), sample.files.get("/upper")!));
});

mountTest("twenty readers at once", async ({ path, sample }) => {
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const names = [...sample.files.keys()];
    for (let k = 0; k < 10; k++) {
      const name = names[(i * 7 + k * 5) % names.length]!;
      assert(equalBytes(await Deno.readFile(path + name), sample.files.get(name)!), name);
    }
  }));
});

mountTest("unmounting ends it", async ({ path, mount }) => {
  assert.equal(mount.mountpoint, await Deno.realPath(path));
  await mount.unmount();
  await within(2000, mount.ended);
  assert.equal(await isFuseMounted(path), false);
  assert.deepEqual([...Deno.readDirSync(path)], []);
});

mountTest("somebody else's unmounting ends it too", async ({ path, mount }) => {
  assert.equal((await run("umount", path)).status, 0);
  await within(2000, mount.ended);
});

mountTest("a busy mount ends at once; who has a file of it open gets an error", async ({ path, mount }) => {
  const file = await Deno.open(`${path}/upper`);
  await mount.unmount();
  assert.equal(await isFuseMounted(path), false);
  await within(2000, mount.ended);
  await assert.rejects(file.read(new Uint8Array(1000)));
  file.close();
});

mountTest(
  "a second mount on the same directory is refused, and the first goes on",
  async ({ path, content, sample }) => {
    const second = mountArchive(content, path, { log: SILENT, logJson: false, writeLog: () => {} });
    await assert.rejects(second, (error) => error instanceof ClipError && /is mounted there/.test(error.message));
    assert.equal((await Deno.readFile(`${path}/plain/b`)).length, sample.files.get("/plain/b")!.length);
  },
);

Deno.test({
  name: "mounting where it cannot be is an error, and nothing is left behind",
  ignore: reason !== undefined,
  fn: () =>
    withCacheFolder(async (folder, cache) => {
      const content = openSample(await makeSample(), { cache });
      await Deno.writeTextFile(`${folder}/file`, "");
      for (const name of ["missing", "file"]) {
        const work = mountArchive(content, `${folder}/${name}`, { log: SILENT, logJson: false, writeLog: () => {} });
        await assert.rejects(
          work,
          (error) => error instanceof ClipError && error.message.includes(`${folder}/${name}`),
        );
      }
      content.close();
    }),
});

Deno.test({
  name: "who was told to end before it stands by does not wait for its turn",
  ignore: reason !== undefined,
  fn: () =>
    withCacheFolder(async (folder, cache) => {
      const content = openSample(await makeSample(), { cache });
      const path = `${folder}/mount`;
      await Deno.mkdir(path);
      await Deno.writeTextFile(`${folder}/turn`, "");
      const [theirs, turnFd] = [0, 0].map(() => libc().open(`${folder}/turn`, OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC));
      assert.equal(libc().flock(theirs!, LockOperation.LOCK_EX), 0);
      const { fd } = await mountFuse(path, { log: SILENT });
      const stop = new AbortController();
      stop.abort(new Error("told to end"));
      const adopt = { fd, resend: false, turnFd: turnFd!, signal: stop.signal };
      const options = { adopt, log: SILENT, logJson: false, writeLog: () => {} };
      try {
        await assert.rejects(within(5000, mountArchive(content, path, options)), /^Error: told to end$/);
      } finally {
        // Now the thread that waits serves, and ends.
        libc().close(theirs!);
        await unmountFuse(path);
        while (isFuseDevice(fd)) await sleep(5);
        libc().close(turnFd!);
        content.close();
      }
    }),
});

function isFuseDevice(fd: number): boolean {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`) === "/dev/fuse";
  } catch {
    return false;
  }
}
