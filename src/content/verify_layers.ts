import { type Logger, type RangeSource, SILENT } from "../base/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import type { Archive } from "../archive/mod.ts";
import { DecodePool } from "./decode_pool.ts";
import { fetchRuns, type RunRequest } from "./fetch_runs.ts";
import { planRun, type Run } from "./read_plan.ts";

/** What was verified. */
export interface VerifiedLayers {
  /** How many spans. */
  readonly spans: number;
  /** How many plain bytes they hold. */
  readonly plainBytes: number;
}

/** A request may take this long to bring its next bytes. */
const DEADLINE_MS = 30_000;

/**
 * Fetches all layers and decodes every run from its own checkpoint, so that each checkpoint is proved as well as each
 * span. Each layer is read with one request, and one that the image holds twice is read once.
 * @throws {DigestMismatchError} or {CorruptError} naming layer and span, at the first that is wrong.
 */
export async function verifyLayers(
  archive: Archive,
  { blob, signal, inflate, log = SILENT }: {
    blob: (layer: number) => RangeSource;
    signal?: AbortSignal;
    inflate?: InflateName | undefined;
    log?: Logger;
  },
): Promise<VerifiedLayers> {
  const { layers, image } = archive;
  const seen = new Set<string>();
  const pool = new DecodePool({ log });
  let spans = 0;
  let plainBytes = 0;
  try {
    for (let layer = 0; layer < layers.layerCount; layer++) {
      const { digest } = image.layers[layer]!;
      if (seen.has(digest)) continue;
      seen.add(digest);
      const context = { archive, source: blob(layer), pool, inflate, deadlineMs: DEADLINE_MS, signal };
      const failures: { firstSpan: number; error: unknown }[] = [];
      // One request a layer, cut into its runs: a source without ranges is read once, too.
      const requests = [...runsOf(archive, layer)].map((run): RunRequest => ({
        run,
        demand: "prefetch",
        file: undefined,
        wanted: () => undefined,
        onTask: () => {},
        onEarly: () => {},
        onWritten: () => {},
        onSpan: (_, bytes) => {
          spans++;
          plainBytes += bytes!.length;
        },
        onEnd: (error) => {
          if (error !== undefined) failures.push({ firstSpan: run.firstSpan, error });
        },
      }));
      signal?.throwIfAborted();
      if (requests.length > 0) await fetchRuns(requests, context);
      const [first] = failures.sort((one, other) => one.firstSpan - other.firstSpan);
      if (first !== undefined) throw first.error;
    }
  } finally {
    pool.close();
  }
  return { spans, plainBytes };
}

function* runsOf({ layers }: Archive, layer: number): Generator<Run> {
  for (let span = layers.firstSpan[layer]!; span < layers.firstSpan[layer + 1]!;) {
    const run = planRun(layers, layer, span, false);
    yield run;
    span = run.endSpan;
  }
}
