import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { integer, string } from "@optique/core/valueparser";
import { ClipError, formatBytes, formatDuration, messageOf, writeFileAtomically } from "../../base/mod.ts";
import type { IndexResult } from "../../indexer/mod.ts";
import {
  formatImageReference,
  formatPlatform,
  type Image,
  type ImageReference,
  parseImageReference,
  resolveImage,
} from "../../oci/mod.ts";
import { defineCommand } from "../command.ts";
import { indexCacheOptions } from "../index_cache_options.ts";
import { indexWithProgress } from "../index_with_progress.ts";
import { indexingOptions } from "../indexing_options.ts";
import { requiredArgument } from "../basic_options.ts";
import { inflateOption, registryOptions } from "../options.ts";
import { sourceOptions } from "../registry_choices.ts";

/** `clip index` */
export const index = defineCommand({
  summary: "Read an image's layers once and write a .clip file.",
  description:
    message`IMAGE is a reference as docker takes it (ubuntu:24.04, ghcr.io/owner/name@sha256:…), or one of skopeo's \
transports: docker://REFERENCE, oci:DIR[:TAG|@DIGEST], oci-archive:FILE, docker-archive:FILE[:NAME[:TAG]]. Layers are streamed: \
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
    scope: object("What and where", {
      output: optional(option("-o", "--output", string({ metavar: "FILE" }), {
        description: message`Where to write; default the image's name, its tag and .clip.`,
      })),
      layers: optional(option("--layers", integer({ metavar: "K", min: 1 }), {
        description: message`Index the lowest K layers alone, to be mounted below further ones; default all.`,
      })),
      inflate: inflateOption,
    }),
    indexing: indexingOptions,
    reuse: indexCacheOptions,
    registry: registryOptions,
  }),
  async run({ image: text, scope, indexing, reuse, registry }, { io, log }) {
    const started = performance.now();
    const reference = parseImageReference(text);
    const output = scope.output ?? defaultOutput(reference);
    await checkFolder(output);
    const source = { ...sourceOptions(registry, { io, log }), signal: io.signal, platform: indexing.platform };
    const { image, blobs } = await resolveImage(reference, source);
    try {
      const { inflate, layers: layerCount } = scope;
      const result = await indexWithProgress(image, blobs, { indexing, reuse, inflate, layerCount }, { io, log });
      await writeFileAtomically(output, result.archive);
      io.out(`${summary(output, image, result, performance.now() - started)}\n`);
    } finally {
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
