/** Contents when sources, archives and caches fail or lie: right bytes or an error, and back to work afterwards. */
import assert from "node:assert/strict";
import { ClipError, createLogger, equalBytes, type Logger, sleep, SpanState } from "../../src/base/mod.ts";
import { openArchive } from "../../src/archive/mod.ts";
import { diskSpanCache } from "../../src/cache/mod.ts";
import type { Content } from "../../src/content/mod.ts";
import { archiveOf } from "../indexer/memory_image.ts";
import { WatchedSource } from "../indexer/watched_source.ts";
import {
  changedCache,
  makeOneBlockSample,
  makeSample,
  NO_CACHE,
  openSample,
  readFile,
  type Sample,
  withCacheFolder,
} from "./sample.ts";

const { test } = Deno;

function recording(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return { log: createLogger({ level: "info", write: (line) => lines.push(line) }), lines };
}

async function failureOf(work: Promise<unknown>): Promise<ClipError> {
  const error = await work.then(() => assert.fail("no failure"), (error) => error);
  assert(error instanceof ClipError, error?.stack ?? String(error));
  return error;
}

/** Runs `work` with a clock that `pass` advances. */
async function withClock(work: (pass: (ms: number) => void) => Promise<void>): Promise<void> {
  const { now } = Date;
  let passedMs = 0;
  Date.now = () => now() + passedMs;
  try {
    await work((ms) => passedMs += ms);
  } finally {
    Date.now = now;
  }
}

/** Flips a bit of the compressed byte that is `share` of the way through the blob, in every answer that has it. */
function damage(source: WatchedSource, share: number): () => void {
  const at = Math.floor(source.sizeBytes * share);
  source.onPiece = (piece, { offset, endExclusive }) => {
    if (offset <= at && at < endExclusive) piece[at - offset]! ^= 0x40;
  };
  return () => source.onPiece = () => {};
}

/** Reads every file; whether it could be read. Bytes that are read must be right. */
async function readable(content: Content, { files, archive }: Sample, layer: number): Promise<Map<string, boolean>> {
  const outcomes = new Map<string, boolean>();
  for (const [path, bytes] of files) {
    if (archive.tree.columns.layer[archive.tree.find(path)!] !== layer) continue;
    const read = await readFile(content, path).catch((error) => {
      assert(error instanceof ClipError, String(error));
      return undefined;
    });
    if (read !== undefined) assert(equalBytes(read, bytes), path);
    outcomes.set(path, read !== undefined);
  }
  return outcomes;
}

test("a source that fails is an error of its own kind, a short rest, and then right again", async () => {
  await withClock(async (pass) => {
    const sample = await makeSample();
    const source = sample.sources[2]!;
    const { log, lines } = recording();
    const content = openSample(sample, { cache: NO_CACHE, log });
    source.onPiece = () => {
      throw new ClipError("network", "blob 2: connection refused");
    };
    assert.equal((await failureOf(readFile(content, "/upper"))).code, "network");
    assert.match(lines.join(""), /error: cannot read \/upper: blob 2: connection refused layer=2 span=0/);
    source.onPiece = () => {};
    assert.equal((await failureOf(readFile(content, "/upper", 400_000, 1))).message, "blob 2: connection refused");
    assert.equal(source.requests.length, 1, "not asked again at once");
    assert(equalBytes(await readFile(content, "/large"), sample.files.get("/large")!), "other layers are not at rest");
    pass(1100);
    assert(equalBytes(await readFile(content, "/upper"), sample.files.get("/upper")!));
    content.close();
  });
});

test("bytes damaged on the way once are fetched again", async () => {
  const sample = await makeSample();
  const source = sample.sources[2]!;
  const { log, lines } = recording();
  const content = openSample(sample, { cache: NO_CACHE, log });
  source.onPiece = (piece) => {
    if (source.requests.length === 1) piece[100]! ^= 1;
  };
  assert(equalBytes(await readFile(content, "/upper", 0, 50), sample.files.get("/upper")!.subarray(0, 50)));
  assert.equal(source.requests.length, 2);
  assert.match(lines.join(""), /clip: warn: fetching again: .* layer=2 span=0\n$/);
  content.close();
});

test("a damaged blob: no wrong bytes, an error for the span in question only, rest, and recovery", async () => {
  await withClock(async (pass) => {
    for (const layer of [0, 2]) {
      const sample = await makeSample();
      const source = sample.sources[layer]!;
      const { log, lines } = recording();
      const content = openSample(sample, { cache: NO_CACHE, log });
      const repair = damage(source, 0.95);
      const path = layer === 0 ? "/large" : "/upper";
      const end = sample.files.get(path)!.length - 50_000;
      const error = await failureOf(readFile(content, path, end, 10));
      assert(error.code === "digest_mismatch" || error.code === "corrupt", error.stack);
      const asked = source.requests.length;
      assert.equal(asked, 3, "two tries and the whole layer");
      assert.match(lines.join(""), new RegExp(`inflating the whole of layer ${layer}: a checkpoint is unusable`));
      assert.equal((await failureOf(readFile(content, path, end, 10))).message, error.message);
      assert.equal(source.requests.length, asked, "not asked again at once");
      const outcomes = await readable(content, sample, layer);
      assert.equal(outcomes.get(path), false);
      if (layer === 0) assert.equal([...outcomes.values()].filter((was) => was).length, 41, "the others can be read");
      repair();
      pass(61_000);
      assert(equalBytes(await readFile(content, path), sample.files.get(path)!), "recovered");
      content.close();
    }
  });
});

test("random damage never gives wrong bytes", async () => {
  for (let step = 0; step < 20; step++) {
    const sample = await makeSample();
    const content = openSample(sample, { cache: NO_CACHE, useCheckpoints: step % 4 !== 3 });
    damage(sample.sources[0]!, (step + 0.5) / 20);
    await readable(content, sample, 0);
    content.close();
  }
});

test("a blob shorter or longer than it should be is an error, not a hang", async () => {
  for (const change of [-3000, 1000]) {
    const sample = await makeSample();
    const blob = sample.layers[2]!.blob;
    const other = new Uint8Array(blob.length + change);
    other.set(blob.subarray(0, other.length));
    sample.sources[2] = new WatchedSource(other, "other blob");
    const content = openSample(sample, { cache: NO_CACHE });
    const read = await readFile(content, "/upper").catch((error) => error);
    if (change > 0) assert(equalBytes(read, sample.files.get("/upper")!));
    else assert(read instanceof Error && !/Maximum/.test(read.message), String(read));
    content.close();
  }
});

/** The sample with every window of its archive damaged. */
async function withoutWindows(): Promise<Sample> {
  const sample = await makeSample();
  const { bytes, archive } = await archiveOf(sample.layers);
  const { offset, storedBytes } = archive.table.sections.windows;
  assert(storedBytes > 100);
  for (let at = offset; at < offset + storedBytes; at++) bytes[at]! ^= 0x55;
  return { ...sample, archive: await openArchive(new WatchedSource(bytes, "damaged.clip")) };
}

test("unusable checkpoints: the layer is inflated from its start, once, for all who wait", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await withoutWindows();
    const { log, lines } = recording();
    const content = openSample(sample, { cache, log });
    const large = sample.files.get("/large")!;
    const offsets = [200_000, 500_000, 1_000_000, 1_099_000];
    const reads = await Promise.all(offsets.map((offset) => readFile(content, "/large", offset, 900)));
    reads.forEach((bytes, i) => assert(equalBytes(bytes, large.subarray(offsets[i]!, offsets[i]! + 900))));
    for (const path of ["/large", "/small/0", "/small/39"]) {
      assert(equalBytes(await readFile(content, path), sample.files.get(path)!), path);
    }
    assert.equal(sample.sources[0]!.requests.filter(({ offset }) => offset === 0).length, 1);
    assert.equal(lines.filter((line) => line.includes("inflating the whole of layer 0")).length, 1);
    content.close();
  });
});

test("the good spans of a damaged long run are served, those behind the damage are errors", async () => {
  const sample = await makeOneBlockSample();
  damage(sample.sources[0]!, 0.85);
  const content = openSample(sample, { cache: NO_CACHE });
  const huge = sample.files.get("/huge")!;
  const reads = [100, 5_000_000, 13_000_000].map((offset) => readFile(content, "/huge", offset, 100));
  const [first, second, third] = await Promise.allSettled(reads);
  assert(first!.status === "fulfilled" && equalBytes(first.value, huge.subarray(100, 200)));
  assert(second!.status === "fulfilled" && equalBytes(second.value, huge.subarray(5_000_000, 5_000_100)));
  assert(third!.status === "rejected" && third.reason instanceof ClipError);
  assert(equalBytes(await readFile(content, "/huge", 3000, 100), huge.subarray(3000, 3100)));
  content.close();
});

test("a reader who comes just as a run fails is not forgotten", async () => {
  for (let lateTicks = 0; lateTicks < 40; lateTicks++) {
    const sample = await makeOneBlockSample();
    const content = openSample(sample, { cache: NO_CACHE });
    const failing = Promise.withResolvers<void>();
    sample.sources[0]!.onPiece = () => failing.promise;
    const first = readFile(content, "/huge", 100, 10);
    await sleep(0);
    failing.reject(new ClipError("network", "gone"));
    for (let tick = 0; tick < lateTicks; tick++) await null;
    const second = readFile(content, "/huge", 13_000_000, 10);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`forgotten after ${lateTicks} ticks`)), 2000);
    });
    assert.equal((await failureOf(first)).message, "gone");
    assert.equal((await failureOf(Promise.race([second, late]))).message, "gone");
    clearTimeout(timer);
    content.close();
  }
});

test("a source that never answers is given up with an error that says so", async () => {
  const sample = await makeSample();
  const content = openSample(sample, { cache: NO_CACHE, deadlineMs: 30 });
  sample.sources[2]!.onPiece = async (_piece, _range, signal) => await sleep(60_000, signal);
  const error = await failureOf(readFile(content, "/upper", 0, 10));
  assert.equal(error.code, "network");
  assert.match(error.message, /blob 2.*no answer within [0-9.]+ m?s/);
  content.close();
});

test("damaged, emptied and lying cache files are noticed, and the spans fetched again", async () => {
  const changes: Record<string, (path: string) => void> = {
    "a flipped byte": (path) => {
      const bytes = Deno.readFileSync(path);
      for (let at = 0; at < bytes.length; at += 5000) bytes[at]! ^= 1;
      Deno.writeFileSync(path, bytes);
    },
    "cut short": (path) => Deno.truncateSync(path, 1000),
    "zeros": (path) => Deno.writeFileSync(path, new Uint8Array(Deno.statSync(path).size)),
  };
  for (const [name, change] of Object.entries(changes)) {
    await withCacheFolder(async (_, cache) => {
      const sample = await makeSample();
      const first = openSample(sample, { cache });
      const upper = sample.files.get("/upper")!;
      await readFile(first, "/upper");
      const path = first.layerCache(2)!.dataPath!;
      first.close();
      change(path);
      const { log, lines } = recording();
      const second = openSample(sample, { cache, log });
      const before = sample.sources[2]!.requests.length;
      assert(equalBytes(await readFile(second, "/upper"), upper), name);
      assert(sample.sources[2]!.requests.length > before, `${name}: fetched`);
      assert.match(lines.join(""), /a cached span is damaged and will be fetched again/);
      second.close();
      const third = openSample(sample, { cache });
      const after = sample.sources[2]!.requests.length;
      assert(equalBytes(await readFile(third, "/upper"), upper), name);
      assert.equal(sample.sources[2]!.requests.length, after, `${name}: mended in the cache`);
      third.close();
    });
  }
});

test("a cache that cannot be written or opened is told of once, and reads go on", async () => {
  await withCacheFolder(async (folder, cache) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    // Written by the threads that decode, and, where there is no file for them, by this one.
    const full = changedCache(cache, { openPath: "/dev/full" });
    const fullWithoutFile = changedCache(cache, {
      openPath: undefined,
      write: () => {
        throw new ClipError("io", "cannot write to the cache: no space left on device");
      },
    });
    const refusing = changedCache(cache, { admit: () => false });
    const gone = changedCache(cache, { openPath: `${folder}/gone` });
    for (
      const [broken, pattern] of [
        [full, /no space left/i],
        [fullWithoutFile, /no space left/],
        [diskSpanCache(`${folder}/file/below`), /below/],
        [refusing, undefined],
        [gone, undefined],
      ] as const
    ) {
      const sample = await makeSample();
      const { log, lines } = recording();
      const content = openSample(sample, { cache: broken, log });
      for (const [path, bytes] of sample.files) assert(equalBytes(await readFile(content, path), bytes), path);
      const told = lines.filter((line) => line.includes("going on without the cache"));
      assert.equal(told.length, pattern === undefined ? 0 : 1);
      if (pattern !== undefined) assert.match(told[0]!, pattern);
      const isInFile = content.localReaders.spanStates.some((state) => (state & SpanState.verified) !== 0);
      assert.equal(isInFile, broken === gone, "only what was written counts");
      content.close();
    }
  });
});

test("closing while a fetch is under way leaves no file open", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeSample();
    const content = openSample(sample, { cache });
    sample.sources[2]!.onPiece = () => sleep(20);
    const read = readFile(content, "/upper", 0, 10).catch(() => {});
    await sleep(0);
    content.close();
    await read;
    await sleep(40);
    assert.equal(openFilesBelow(cache.description), 0);
  });
});

function openFilesBelow(folder: string): number {
  const links = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link.startsWith(folder)).length;
}
