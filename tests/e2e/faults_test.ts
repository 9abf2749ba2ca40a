/** Everything that a registry, a disk and a colleague can do to a mount, while readers compare what they read. */
import assert from "node:assert/strict";
import { ARCHITECTURE, digestOf, writeImage, writeLayer } from "./oci_layout.ts";
import type { Fault, FaultProxy } from "../fault_proxy.ts";
import { mustRun, runProgram } from "./programs.ts";
import { publish, type Published, REGISTRY_NEEDS } from "./published.ts";
import { type DaemonMount, e2eTest, isRunning, until, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root", ...REGISTRY_NEEDS];
const DEADLINE_MS = 3000;
/** Beyond the deadline, for starting processes on a busy machine. */
const SLACK_MS = 20_000;
/** For mounts with the deadline that users have. */
const LONG_MS = 60_000;
const FILES = 16;
const ALL = [...Array(FILES).keys()];
/** Large enough for a checkpoint, and so a span, of its own. */
const FILE_BYTES = 540_000;

/** An image of noise in words, in a registry behind a proxy, indexed as faults.clip. */
class FaultBench {
  readonly bench: Workbench;
  published!: Published;
  /** By name: the sha256 in hex. */
  readonly digests = new Map<string, string>();

  constructor(bench: Workbench) {
    this.bench = bench;
  }

  static async make(bench: Workbench): Promise<FaultBench> {
    const made = new FaultBench(bench);
    const members = Array.from({ length: FILES }, (_, number) => {
      const data = words(number + 1);
      made.digests.set(`file-${number}`, digestOf(data).slice("sha256:".length));
      return { path: `file-${number}`, data };
    });
    const layer = writeLayer(bench.path("layout"), members);
    writeImage(bench.path("layout"), [layer], ARCHITECTURE);
    made.published = await publish(bench, `oci:${bench.path("layout")}:latest`);
    await bench.mustClip(["index", "--plain-http", made.published.reference, "-o", "faults.clip"]);
    return made;
  }

  get proxy(): FaultProxy {
    return this.published.proxy;
  }

  mount(name: string, args: readonly string[] = ["--deadline", `${DEADLINE_MS}ms`]): Promise<DaemonMount> {
    return this.bench.mount(this.bench.path("faults.clip"), name, ["--plain-http", ...args]);
  }

  /**
   * Reads files in processes of their own, all at once, within the deadline. Those that came out right; others must
   * have failed with EIO. @param numbers Of the files.
   */
  async read(
    directory: string,
    numbers: readonly number[],
    withinMs = DEADLINE_MS + SLACK_MS,
  ): Promise<number[]> {
    const startedMs = performance.now();
    const results = await Promise.all(numbers.map(async (number) => {
      const { code, stdout, stderr } = await runProgram(["sha256sum", `${directory}/file-${number}`], {
        env: { LC_ALL: "C" },
      });
      if (code === 0) {
        assert.equal(stdout.slice(0, 64), this.digests.get(`file-${number}`), `wrong bytes in file-${number}`);
        return number;
      }
      assert.match(stderr, /Input\/output error/);
      return -1;
    }));
    const ms = performance.now() - startedMs;
    assert.ok(ms < withinMs, `a read took ${Math.round(ms)} ms`);
    return results.filter((number) => number >= 0);
  }

  /** Asserts that files come out right, and soon. */
  async reads(directory: string, numbers: readonly number[], withinMs = LONG_MS): Promise<void> {
    const startedMs = performance.now();
    while ((await this.read(directory, numbers)).length < numbers.length) {
      assert.ok(performance.now() - startedMs < withinMs, "reads go on failing");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Noise that deflate can do something with. */
function words(seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FILE_BYTES);
  let state = seed * 2654435761 >>> 0;
  for (let at = 0; at < FILE_BYTES; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = 97 + (state >>> 28);
  }
  return bytes;
}

/** Faults that a read gets over: they befall some requests only. By the number of the request. */
const PASSING: readonly (readonly [string, (number: number) => Fault | undefined])[] = [
  ["500", (number) => number % 2 === 0 ? { kind: "status", status: 500 } : undefined],
  ["429", (number) => number === 1 ? { kind: "status", status: 429, headers: { "retry-after": "1" } } : undefined],
  ["short bodies", (number) => number % 3 === 0 ? { kind: "short" } : undefined],
  ["resets", (number) => number % 2 === 0 ? { kind: "reset" } : undefined],
  ["a corrupt byte", (number) => number === 0 ? { kind: "corrupt" } : undefined],
  ["redirects", () => ({ kind: "redirect" })],
  ["ignored ranges", () => ({ kind: "ignoreRange" })],
];

/** Faults that end a read with EIO as long as they last. */
const LASTING: readonly (readonly [string, Fault])[] = [
  // Last in time and of the last files: a reader then resorts to the whole layer, and has all before its middle.
  ["corrupt bytes", { kind: "corrupt" }],
  ["401", { kind: "status", status: 401 }],
  ["429", { kind: "status", status: 429, headers: { "retry-after": "4" } }],
  ["500", { kind: "status", status: 500 }],
  ["silence", { kind: "hang" }],
  ["short bodies", { kind: "short" }],
  ["a slow drip", { kind: "drip", bytesPerSecond: 1000 }],
];

/** Two files for each fault, from the last ones on: what is read ahead has been read by then. */
function filesFor(fault: number): number[] {
  return [FILES - 1 - 2 * fault, FILES - 2 - 2 * fault];
}

e2eTest("a registry with passing faults: every read is right", NEEDS, async (bench) => {
  const faults = await FaultBench.make(bench);
  const mount = await faults.mount("mnt", []);
  for (const [fault, [name, make]] of PASSING.entries()) {
    let requests = 0;
    faults.proxy.fault = () => make(requests++);
    const numbers = filesFor(fault);
    assert.deepEqual(await faults.read(mount.directory, numbers, LONG_MS), numbers, `${name}:\n${mount.log()}`);
    assert.ok(requests > 0, `${name} befell nobody`);
  }
});

e2eTest(
  "a registry with lasting faults: EIO in time, never other bytes, and all is well after",
  NEEDS,
  async (bench) => {
    const faults = await FaultBench.make(bench);
    const mount = await faults.mount("mnt");
    for (const [number, [name, fault]] of [...LASTING.entries()].reverse()) {
      faults.proxy.fault = () => fault;
      const [one, other] = filesFor(number);
      assert.deepEqual(await faults.read(mount.directory, [one!, other!, one!]), [], `${name}:\n${mount.log()}`);
      faults.proxy.fault = undefined;
      await faults.reads(mount.directory, [one!, other!]);
    }
    await faults.reads(mount.directory, ALL);
  },
);

e2eTest("a registry that ignores Range: the layer is read once", NEEDS, async (bench) => {
  const faults = await FaultBench.make(bench);
  faults.proxy.fault = () => ({ kind: "ignoreRange" });
  const mount = await faults.mount("mnt");
  faults.proxy.seen.length = 0;
  const last = FILES - 1;
  assert.deepEqual(await faults.read(mount.directory, [last]), [last]);
  await faults.reads(mount.directory, ALL);
  // One that asked for a range and was given up, and one for the layer.
  assert.ok(faults.proxy.blobRequests.length <= 2, JSON.stringify(faults.proxy.blobRequests));
  assert.match(mount.log(), /warn: inflating the whole of layer 0: its source has no ranges/);
  assert.match(await bench.mustClip(["verify", "--layers", "--plain-http", "faults.clip"]), /spans .* are as/);
});

e2eTest("a redirect's signature that ends: reads go on", NEEDS, async (bench) => {
  const faults = await FaultBench.make(bench);
  const { proxy } = faults;
  proxy.fault = () => ({ kind: "redirect" });
  const mount = await faults.mount("mnt");
  proxy.seen.length = 0;
  for (const number of [0, 4, 8]) assert.deepEqual(await faults.read(mount.directory, [number]), [number]);
  assert.equal(proxy.blobRequests.filter(({ status }) => status === 307).length, 1);
  proxy.signature = "signature-2";
  assert.deepEqual(await faults.read(mount.directory, [12]), [12]);
  assert.deepEqual(proxy.blobRequests.slice(-3).map(({ status }) => status), [403, 307, 206]);
});

e2eTest("a cache folder without room: reads go on without it", NEEDS, async (bench) => {
  const faults = await FaultBench.make(bench);
  const small = bench.directory("small");
  await mustRun(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small]);
  bench.defer(() => runProgram(["umount", "-l", small]));
  const mount = await faults.mount("mnt", ["--cache-dir", small]);
  await faults.reads(mount.directory, ALL);
  assert.match(mount.log(), /cache/);
});

e2eTest("two servers on one cache, one killed while it writes: both read on", NEEDS, async (bench) => {
  const faults = await FaultBench.make(bench);
  // So that the cache is being written all the time.
  faults.proxy.latencyMs = 15;
  for (let round = 0; round < 2; round++) {
    const cache = ["--cache-dir", bench.path(`cache-${round}`)];
    const [first, second] = [await faults.mount(`first-${round}`, cache), await faults.mount(`second-${round}`, cache)];
    faults.proxy.seen.length = 0;
    const dying = Promise.all(ALL.map((number) => runProgram(["cat", `${first.directory}/file-${number}`])));
    assert.ok(await until(() => faults.proxy.blobRequests.length > round * 6, 5000));
    Deno.kill(first.pid, "SIGKILL");
    const [read, died] = await Promise.all([faults.read(second.directory, ALL, LONG_MS), dying]);
    assert.deepEqual(read, ALL, second.log());
    assert.deepEqual(died.map(({ code }) => code), ALL.map(() => 0), "its readers were to wait for the next server");
    assert.ok(await until(() => !isRunning(first.pid), 5000));
    assert.deepEqual(await faults.read(first.directory, ALL, LONG_MS), ALL, first.log());
    for (const { directory } of [first, second]) await bench.mustClip(["unmount", directory]);
  }
});
