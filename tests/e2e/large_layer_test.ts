/** A layer of more than 500 MB: what is read of it is fetched, and no more; indexing it takes little memory. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LARGE_FILE, LARGE_IMAGE_NEEDS, largeFileBytes, largeImage } from "./large_image.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";
import { e2eTest, until } from "./workbench.ts";

const MAX_INDEX_MEMORY_BYTES = 400e6;
/** From a checkpoint to the next: the default spacing and a quarter of it. */
const LONGEST_RUN_BYTES = 2.5 * 1024 * 1024;

interface InspectedLayer {
  plainBytes: number;
  compressedBytes: number;
  spans: number;
  spanBytes: { median: number; longest: number };
}

const NEEDS = ["/dev/fuse", ...LARGE_IMAGE_NEEDS, ...REGISTRY_NEEDS];

e2eTest("a large layer: 4 KiB in the middle cost what lies between two checkpoints", NEEDS, async (bench) => {
  const { proxy, reference } = await publish(bench, await largeImage());
  const peakBytes = await indexAndWatch(() =>
    bench.spawnClip(["index", "--plain-http", reference, "-o", "large.clip"])
  );
  // deno-lint-ignore no-console -- a figure to be known
  console.log(`peak memory of clip index: ${Math.round(peakBytes / 1e6)} MB`);
  assert.ok(peakBytes < MAX_INDEX_MEMORY_BYTES, `clip index took ${peakBytes} bytes of memory`);
  assert.equal(proxy.blobRequests.filter(({ bodyBytes }) => bodyBytes > 1e6).length, 1, "the layer is read once");

  const { layers: [layer] }: { layers: InspectedLayer[] } = JSON.parse(
    await bench.mustClip(["inspect", "--json", "large.clip"]),
  );
  assert.ok(layer!.plainBytes >= 500e6, `${layer!.plainBytes}`);
  assert.ok(layer!.spanBytes.longest <= 512 * 1024, `a span of ${layer!.spanBytes.longest} bytes`);

  proxy.seen.length = 0;
  const mount = await bench.mount(bench.path("large.clip"), "mnt", ["--plain-http"]);
  assert.equal(proxy.seen.length, 0, "mounting asks the registry for nothing");
  const path = `${mount.directory}/${LARGE_FILE.path}`;
  const offset = Math.floor(LARGE_FILE.sizeBytes / 2) + 40 * 1024;
  assert.ok(Buffer.from(await readAt(path, offset, 4096)).equals(largeFileBytes(offset, 4096)), "wrong bytes");

  const requests = proxy.blobRequests;
  assert.equal(requests.length, 1, `${requests.length} requests for blobs`);
  const [line, ...more] = mount.log().split("\n").filter((logged) => logged.includes(" fetching "));
  assert.deepEqual(more, []);
  const field = (name: string) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(line!)?.[1]);
  assert.ok(field("spans") > 1, line);
  // The read is answered before the end of the run is there.
  await until(() => requests[0]!.bodyBytes >= field("bytes"), 5000);
  assert.equal(field("bytes"), requests[0]!.bodyBytes);
  assert.ok(field("plainBytes") <= LONGEST_RUN_BYTES, line);
  // Half of the file is noise: some six tenths are left, once compressed.
  const ratio = layer!.compressedBytes / layer!.plainBytes;
  assert.ok(requests[0]!.bodyBytes < LONGEST_RUN_BYTES * ratio * 1.5, `${requests[0]!.bodyBytes} bytes fetched`);

  // Read again it costs nothing, and a read across many spans is right too.
  await readAt(path, offset, 4096);
  assert.equal(proxy.blobRequests.length, 1);
  const across = 5_000_000;
  assert.ok(
    Buffer.from(await readAt(path, 123_456_789, across)).equals(largeFileBytes(123_456_789, across)),
    "wrong bytes",
  );
});

/** Runs it to its end; the most memory it had, as the kernel counts it. */
async function indexAndWatch(start: () => ReturnType<typeof import("./clip_process.ts").spawnClip>): Promise<number> {
  const running = start();
  let peakBytes = 0;
  let over = false;
  const ended = running.ended.finally(() => over = true);
  await until(() => {
    try {
      const status = Deno.readTextFileSync(`/proc/${running.pid}/status`);
      peakBytes = Math.max(peakBytes, 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0));
    } catch {
      // It has just ended.
    }
    return over;
  }, 120_000);
  const { code, stderr } = await ended;
  assert.equal(code, 0, stderr);
  return peakBytes;
}

/** Does not block this thread, which has a proxy to run. */
async function readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(length);
  await file.seek(offset, Deno.SeekMode.Start);
  for (let at = 0; at < length;) {
    const count = await file.read(bytes.subarray(at));
    assert.ok(count !== null, `the file ends at ${offset + at}`);
    at += count;
  }
  return bytes;
}
