import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, optional, withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { choice, integer, string } from "@optique/core/valueparser";
import {
  ClipError,
  formatBytes,
  formatDuration,
  KIB,
  messageOf,
  MIB,
  parseSize,
  writeFileAtomically,
} from "../../base/mod.ts";
import { STRATEGY_NAMES } from "../../codec/mod.ts";
import { indexImage, type IndexResult } from "../../indexer/mod.ts";
import {
  formatImageReference,
  formatPlatform,
  type Image,
  type ImageReference,
  machinePlatform,
  parseImageReference,
  parsePlatform,
  resolveImage,
} from "../../oci/mod.ts";
import { defineCommand } from "../command.ts";
import { indexCacheOptions, openIndexCache } from "../index_cache_options.ts";
import { inflateOption, registryOptions, requiredArgument, valueOf } from "../options.ts";
import { createProgress, PROGRESS_MODES } from "../progress.ts";

/** Spacing of checkpoints in MiB that suits a use. */
const USE_CASES = { "balanced": 2, "fast-index": 8, "fast-read": 1 } as const;
const DEFAULT_FILE_CHECKPOINT_BYTES = 512 * KIB;
/** A span is as long as the spacing, and a reader holds one in memory. */
const MAX_SPACING_MIB = 64;

const fileCheckpoints = valueOf<number | null>(
  "SIZE|off",
  null,
  (text) => text === "off" ? null : parseSize(text),
  (value) => value === null ? "off" : String(value),
);

/** `clip index` */
export const index = defineCommand({
  summary: "Read an image's layers once and write a .clip file.",
  description:
    message`IMAGE is a reference as docker takes it (ubuntu:24.04, ghcr.io/owner/name@sha256:…), or one of skopeo's \
transports: docker://REFERENCE, oci:DIR[:TAG|@DIGEST], oci-archive:FILE, docker-archive:FILE[:TAG]. Layers are streamed: \
nothing is stored and nothing is converted. The .clip file is all that a mount needs besides the registry. What is learnt \
of a layer is kept: the next image that has it downloads nothing of it.`,
  examples: [
    "clip index ubuntu:24.04",
    "clip index --plain-http registry.local:5000/app:v1 -o app.clip",
    "clip index oci:./layout:latest --use-case fast-read -o app.clip",
    "clip index --layers 3 ghcr.io/owner/app:v1 -o base.clip",
  ],
  parser: object({
    image: requiredArgument("IMAGE", message`What to index.`),
    indexing: object("Indexing", {
      output: optional(option("-o", "--output", string({ metavar: "FILE" }), {
        description: message`Where to write; default the image's name, its tag and .clip.`,
      })),
      useCase: withDefault(
        option("--use-case", choice(Object.keys(USE_CASES) as (keyof typeof USE_CASES)[], { metavar: "NAME" }), {
          description: message`Spacing of checkpoints by purpose: 2, 8 or 1 MiB; default balanced.`,
        }),
        "balanced" as const,
      ),
      checkpointMib: optional(option("--checkpoint-mib", integer({ metavar: "N", min: 1, max: MAX_SPACING_MIB }), {
        description: message`Spacing of checkpoints in MiB of plain data; overrides --use-case.`,
      })),
      checkpoints: optional(option("--checkpoints", choice(STRATEGY_NAMES, { metavar: "STRATEGY" }), {
        description: message`How places to start at are chosen; default exact (file with --inflate pako).`,
      })),
      fileCheckpoints: withDefault(
        option("--file-checkpoints", fileCheckpoints, {
          description: message`A checkpoint before each file of at least this size; default 512KiB.`,
        }),
        DEFAULT_FILE_CHECKPOINT_BYTES,
      ),
      platform: map(
        optional(option("--platform", string({ metavar: "OS/ARCH[/VARIANT]" }), {
          description: message`Which image of an index; default this machine's.`,
        })),
        (text) => text === undefined ? machinePlatform() : parsePlatform(text),
      ),
      layers: optional(option("--layers", integer({ metavar: "K", min: 1 }), {
        description: message`Index the lowest K layers alone, to be mounted below further ones; default all.`,
      })),
      inflate: inflateOption,
      jobs: withDefault(
        option("-j", "--jobs", integer({ metavar: "N", min: 1, max: 256 }), {
          description: message`Layers read at once; default the number of processors.`,
        }),
        navigator.hardwareConcurrency,
      ),
      progress: withDefault(
        option("--progress", choice(PROGRESS_MODES, { metavar: "MODE" }), {
          description:
            message`How progress is shown on standard error; default auto: bars on a terminal, else plain lines.`,
        }),
        "auto" as const,
      ),
    }),
    reuse: indexCacheOptions,
    registry: registryOptions,
  }),
  async run({ image: text, indexing, reuse, registry }, { io, log }) {
    const started = performance.now();
    const reference = parseImageReference(text);
    const output = indexing.output ?? defaultOutput(reference);
    await checkFolder(output);
    const cache = openIndexCache(reuse, { io, log });
    const { plainHttp } = registry;
    const source = { log, signal: io.signal, plainHttp };
    const { image, blobs } = await resolveImage(reference, { ...source, platform: indexing.platform });
    const progress = createProgress(indexing.progress, io);
    try {
      const result = await indexImage(image, blobs, {
        strategy: indexing.checkpoints ?? (indexing.inflate === "kernel" ? "exact" : "file"),
        inflate: indexing.inflate,
        spacingBytes: (indexing.checkpointMib ?? USE_CASES[indexing.useCase]) * MIB,
        fileCheckpointBytes: indexing.fileCheckpoints,
        jobs: indexing.jobs,
        layerCount: indexing.layers,
        cache,
        log,
        signal: io.signal,
        onProgress: progress.onProgress,
      });
      progress.end();
      io.signal.throwIfAborted();
      await writeFileAtomically(output, result.archive);
      io.out(`${summary(output, image, result, performance.now() - started)}\n`);
    } finally {
      progress.end();
      blobs.close();
    }
  },
});

function summary(output: string, image: Image, result: IndexResult, durationMs: number): string {
  const sum = (of: (scan: IndexResult["scans"][number]) => number) => result.scans.reduce((n, scan) => n + of(scan), 0);
  const compressedBytes = sum((scan) => scan.compressedBytes);
  const share = compressedBytes === 0 ? 0 : 100 * result.archiveBytes / compressedBytes;
  const count = result.scans.length;
  const all = image.layers.length;
  const layers = `${count === all ? "" : `${count} of `}${all} ${all === 1 ? "layer" : "layers"}`;
  const reused = result.reused.filter((known) => known).length;
  const size = `${formatBytes(compressedBytes)} (${formatBytes(sum((scan) => scan.plainBytes))} unpacked)`;
  return `${output}: ${formatBytes(result.archiveBytes)}, ${share.toFixed(2)} % of ${layers} of ${size}; ` +
    `${formatPlatform(image.platform)}, ${sum((scan) => scan.checkpoints.length)} checkpoints, ${
      formatDuration(durationMs)
    }${reused === 0 ? "" : `; ${reused} of ${count} ${count === 1 ? "layer" : "layers"} reused`}\n` +
    `${formatImageReference(image.pinnedReference)}`;
}

/** `ubuntu-24.04.clip` for ubuntu:24.04; of a local source, the name of the file or folder. */
function defaultOutput(reference: ImageReference): string {
  const place = reference.transport === "docker" ? reference.repository : reference.path;
  const name = place.replace(/\/+$/, "").split("/").at(-1)!.replace(/\.tar$/, "");
  const tag = reference.tag?.split(":").at(-1);
  const safe = (name === "" || name === "." || name === ".." ? "image" : name) + (tag === undefined ? "" : `-${tag}`);
  return `${safe}.clip`;
}

/** Says so before the work rather than after it. */
async function checkFolder(output: string): Promise<void> {
  const slash = output.lastIndexOf("/");
  const folder = slash < 0 ? "." : output.slice(0, slash + 1);
  const stat = await Deno.stat(folder).catch((error) => {
    throw new ClipError("io", `cannot write ${output}: ${messageOf(error)}`, { cause: error });
  });
  if (!stat.isDirectory) throw new ClipError("io", `cannot write ${output}: ${folder} is not a directory`);
  const there = await Deno.stat(output).catch(() => undefined);
  if (there?.isDirectory) throw new ClipError("io", `cannot write ${output}: it is a directory`);
}
