/** Runs, one or several with a request, decoded by Workers and in place. */
import assert from "node:assert/strict";
import { ClipError, equalBytes, SILENT, sleep } from "../../src/base/mod.ts";
import { DecodePool } from "../../src/content/decode_pool.ts";
import { type FetchContext, fetchRuns, type RunRequest } from "../../src/content/fetch_runs.ts";
import { planRun, type Run } from "../../src/content/read_plan.ts";
import { makeOneBlockSample, makeSample, type Sample } from "./sample.ts";

const { test } = Deno;
const SAMPLE = await makeSample();
const ONE_BLOCK = await makeOneBlockSample();

function runsOf({ archive: { layers } }: Sample, layer: number): Run[] {
  const runs: Run[] = [];
  for (let span = layers.firstSpan[layer]!; span < layers.firstSpan[layer + 1]!; span = runs.at(-1)!.endSpan) {
    runs.push(planRun(layers, layer, span, false));
  }
  return runs;
}

/** What came of runs. */
interface Outcome {
  /** Spans in order of arrival, whose bytes were right. */
  readonly spans: number[];
  /** By first span of the run: why it ended, undefined if well. */
  readonly ends: Map<number, unknown>;
  readonly error: unknown;
}

async function fetchAll(
  sample: Sample,
  runs: readonly Run[],
  { workers = 1, ...more }: Partial<FetchContext> & { workers?: number } = {},
): Promise<Outcome> {
  const { archive, sources, layers } = sample;
  const spans: number[] = [];
  const ends = new Map<number, unknown>();
  const pool = more.pool ?? new DecodePool({ log: SILENT, workers });
  const requests = runs.map((run): RunRequest => ({
    run,
    demand: "read",
    file: undefined,
    wanted: () => undefined,
    onTask: () => {},
    onEarly: () => assert.fail("nothing is to be written"),
    onWritten: () => assert.fail("there is no file"),
    onSpan: (span, bytes) => {
      const { spanOffsets } = archive.layers;
      const expected = layers[run.layer]!.plain.subarray(spanOffsets[span]!, archive.layers.spanEnd(run.layer, span));
      assert(equalBytes(bytes!, expected), `span ${span}`);
      spans.push(span);
    },
    onEnd: (error) => {
      assert(!ends.has(run.firstSpan), "ends once");
      ends.set(run.firstSpan, error);
    },
  }));
  const context = { archive, source: sources[runs[0]!.layer]!, pool, inflate: undefined, deadlineMs: 5000 };
  const error = await fetchRuns(requests, { ...context, signal: undefined, ...more }).catch((error) => error);
  if (more.pool === undefined) pool.close();
  return { spans, ends, error };
}

const numbers = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);

test("every run by itself: exactly its range, exactly its spans", async () => {
  for (const sample of [SAMPLE, ONE_BLOCK]) {
    for (let layer = 0; layer < sample.sources.length; layer++) {
      const { requests } = sample.sources[layer]!;
      for (const run of runsOf(sample, layer)) {
        requests.length = 0;
        const { spans, ends, error } = await fetchAll(sample, [run], { workers: 0 });
        assert.equal(error, undefined);
        assert.deepEqual(spans, numbers(run.firstSpan, run.endSpan));
        assert.deepEqual([...ends], [[run.firstSpan, undefined]]);
        assert.deepEqual(requests, [{ offset: run.compressedOffset, endExclusive: run.compressedEndExclusive }]);
      }
    }
  }
});

test("runs that follow one another are one request, whatever the pieces and however many threads", async () => {
  for (let layer = 0; layer < 3; layer++) {
    const source = SAMPLE.sources[layer]!;
    const runs = runsOf(SAMPLE, layer);
    for (const [pieceBytes, workers] of [[1000, 2], [65_536, 1], [1 << 20, 0], [777, 0]] as const) {
      source.pieceBytes = pieceBytes;
      source.requests.length = 0;
      const { spans, ends, error } = await fetchAll(SAMPLE, runs, { workers });
      assert.equal(error, undefined);
      assert.deepEqual(spans.sort((a, b) => a - b), numbers(runs[0]!.firstSpan, runs.at(-1)!.endSpan));
      assert.equal(ends.size, runs.length);
      assert([...ends.values()].every((end) => end === undefined));
      assert.equal(source.requests.length, 1);
    }
    source.pieceBytes = 65_536;
  }
});

test("threads that wait for work already take pieces, and the source's own, at once", async () => {
  const runs = runsOf(SAMPLE, 0);
  const source = SAMPLE.sources[0]!;
  const pool = new DecodePool({ log: SILENT, workers: 2 });
  try {
    source.pieceBytes = 1000;
    // Threads are called when there is work, and take a moment to come.
    for (let round = 0; round < 8; round++) {
      const { ends, error } = await fetchAll(SAMPLE, runs, { pool });
      assert.equal(error, undefined);
      assert.deepEqual([...ends.values()], runs.map(() => undefined));
      await sleep(100);
    }
  } finally {
    source.pieceBytes = 65_536;
    pool.close();
  }
});

test("a run over damaged bytes gives the good spans before the damage, and then an error", async () => {
  const source = ONE_BLOCK.sources[0]!;
  const [run] = runsOf(ONE_BLOCK, 0);
  const { layers } = ONE_BLOCK.archive;
  for (const at of [20_000, Math.floor(source.sizeBytes * 0.7)]) {
    let good = 0;
    while (layers.spanCompressedEnd(0, good) <= at) good++;
    assert.equal(good > 0, at > 20_000);
    source.onPiece = (piece, { offset, endExclusive }) => {
      if (offset <= at && at < endExclusive) piece[at - offset]! ^= 0x10;
    };
    const { spans, ends, error } = await fetchAll(ONE_BLOCK, [run!]);
    assert.equal(error, undefined, "the request was well");
    assert.match(String(ends.get(0)), /blob 0.*(digest mismatch|bad)|gzip/);
    assert.deepEqual(spans, numbers(0, good));
  }
  source.onPiece = () => {};
});

test("a damaged run among others fails alone", async () => {
  const source = SAMPLE.sources[0]!;
  const runs = runsOf(SAMPLE, 0);
  const broken = runs[2]!;
  const at = Math.floor((broken.compressedOffset + broken.compressedEndExclusive) / 2);
  source.onPiece = (piece, { offset, endExclusive }) => {
    if (offset <= at && at < endExclusive) piece[at - offset]! ^= 0x10;
  };
  const { ends, error } = await fetchAll(SAMPLE, runs, { workers: 2 });
  source.onPiece = () => {};
  assert.equal(error, undefined);
  for (const run of runs) assert.equal(ends.get(run.firstSpan) === undefined, run !== broken, `${run.firstSpan}`);
  assert(ends.get(broken.firstSpan) instanceof ClipError);
});

test("a source that breaks off: the runs that are complete are good, the others have its error", async () => {
  const source = SAMPLE.sources[0]!;
  const runs = runsOf(SAMPLE, 0);
  source.pieceBytes = 10_000;
  const breaksAt = runs[2]!.compressedOffset + 5000;
  source.onPiece = (_, { endExclusive }) => {
    if (endExclusive > breaksAt) throw new ClipError("network", "broken off");
  };
  const { ends, error } = await fetchAll(SAMPLE, runs);
  source.onPiece = () => {};
  source.pieceBytes = 65_536;
  assert.equal((error as Error).message, "broken off");
  assert.equal(ends.size, runs.length);
  runs.forEach((run, i) => assert.equal(ends.get(run.firstSpan), i < 2 ? undefined : error, `run ${i}`));
});

test("a source that stops in the middle is given up, and so is one that trickles", async () => {
  const source = SAMPLE.sources[0]!;
  const runs = runsOf(SAMPLE, 0);
  source.pieceBytes = 1000;
  for (const pauseMs of [60_000, 25]) {
    source.onPiece = async (_, { offset }, signal) => {
      if (offset > 2000) await sleep(pauseMs, signal);
    };
    const { ends, error } = await fetchAll(SAMPLE, runs, { deadlineMs: 60 });
    assert.match(String(error), /blob 0: no answer within 60 ms/);
    assert.equal(ends.size, runs.length);
  }
  source.onPiece = () => {};
  source.pieceBytes = 65_536;
});
