/** clip mount, run in this process. */
import assert from "node:assert/strict";
import { sleep } from "../../src/base/mod.ts";
import { libc } from "../../src/fuse/mod.ts";
import { run } from "../../src/cli/run.ts";
import { whyNoMounts } from "../fuse/mounted.ts";
import { FakeIo, inWorkplace, type Workplace } from "./fake_io.ts";

// Opened here, and for good: a library opened during a test counts as a leak of it.
libc();

const reason = whyNoMounts();
// deno-lint-ignore no-console -- a skip says why
if (reason !== undefined) console.log(`skipped: clip mount: ${reason}`);

/** Defines a test with an indexed image and a directory to mount it on. */
export function mountTest(name: string, fn: (place: Workplace & { directory: string }) => Promise<void>): void {
  Deno.test({
    name,
    ignore: reason !== undefined,
    fn: () =>
      inWorkplace(async (place) => {
        const directory = `${place.folder}/mnt`;
        await Deno.mkdir(directory);
        await fn({ ...place, directory });
      }),
  });
}

/** Starts `clip mount` in this process and waits until it says that it is mounted. */
export async function startMount(args: readonly string[]): Promise<{ io: FakeIo; status: Promise<number> }> {
  const io = new FakeIo();
  const runtimeDir = await Deno.makeTempDir({ prefix: "clip-run-" });
  io.variables["CLIP_RUNTIME_DIR"] = runtimeDir;
  const status = run(["mount", ...args], io).finally(() => Deno.remove(runtimeDir, { recursive: true }));
  let ended = false;
  status.finally(() => ended = true);
  while (io.text === "" && !ended) await sleep(10);
  assert.match(io.text, /^mounted .*\n$/, io.err_);
  return { io, status };
}

/** Mounts, has `work` done, and unmounts as Ctrl-C does; what was written to standard error. */
export async function whileMounted(args: readonly string[], work: () => Promise<void>): Promise<string> {
  const { io, status } = await startMount(args);
  try {
    await work();
  } finally {
    io.stop.abort(new DOMException("interrupted", "AbortError"));
    assert.equal(await status, 0, io.err_);
  }
  return io.err_;
}
