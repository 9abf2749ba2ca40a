import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { ClipError, formatBytes, formatCount, formatDuration, utf8ToByteString } from "../../base/mod.ts";
import type { Archive } from "../../archive/mod.ts";
import { type Content, filesBelow, planAll, planFiles, planProfile, type SpanRange } from "../../content/mod.ts";
import { showArchive } from "../archive_url.ts";
import { defineCommand } from "../command.ts";
import { findImage, imageOptionFields, openFound } from "../image_options.ts";
import { noSuchPath } from "../open_archive_file.ts";
import { diskCacheDir } from "../open_cache.ts";
import { optionalArgument, requiredArgument } from "../basic_options.ts";
import { createSpanProgress } from "../progress.ts";

/** `clip warm` */
export const warm = defineCommand({
  summary: "Fetch an image's files into the cache, without mounting it.",
  description: message`Everything, or these paths (directories with all that is in them), or with --profile what the \
archive's profile names. What is in the cache already is not fetched again; after Ctrl-C, what was fetched stays. When \
warm succeeds, what was asked for is in the cache, and a mount with --offline can read it.`,
  examples: [
    "clip warm ubuntu.clip",
    "clip warm ubuntu.clip /usr/bin /etc/passwd",
    "clip warm --profile python:3.13",
  ],
  parser: object({
    file: requiredArgument("FILE.clip|IMAGE", message`What clip index wrote, or an image.`),
    paths: multiple(optionalArgument("PATH", message`In the image; symlinks are followed.`)),
    profile: withDefault(
      flag("--profile", { description: message`What the archive's profile names, and then the paths, if any.` }),
      false,
    ),
    ...imageOptionFields,
  }),
  async run({ file, paths, profile, ...choices }, context) {
    const { io } = context;
    diskCacheDir(choices.content.cacheDir, io);
    const found = await findImage(file, choices, context);
    const archive = await found.open();
    const plan = planWarming(archive, paths, profile);
    const { content, close } = openFound(archive, found, choices, context);
    const progress = createSpanProgress(choices.indexing.progress, io);
    const started = performance.now();
    try {
      await content.prefetch(plan, { signal: io.signal, onProgress: progress.onProgress });
      progress.end();
      io.signal.throwIfAborted();
      io.out(`${showArchive(file)}: ${summary(content, plan)}; ${formatDuration(performance.now() - started)}\n`);
    } finally {
      progress.end();
      await close();
    }
  },
});

function planWarming(archive: Archive, paths: readonly string[], profile: boolean): SpanRange[] {
  if (profile && archive.profile.length === 0) {
    throw new ClipError("not_found", `${archive.description} holds no profile; clip profile add puts one in`);
  }
  const first = profile ? planProfile(archive.layers, archive.profile) : [];
  if (paths.length === 0) return profile ? first : planAll(archive.layers);
  const inodes = paths.map((path) => archive.tree.find(utf8ToByteString(path)) ?? noSuchPath(archive, path));
  return [...first, ...planFiles(archive, filesBelow(archive.tree, inodes))];
}

/** What is in the cache now. @throws {ClipError} where that is not all that was asked for. */
function summary(content: Content, plan: readonly SpanRange[]): string {
  const { layers } = content.archive;
  const { requests, fetchedBytes } = content.counters;
  const spans = new Set<number>();
  let plainBytes = 0;
  let missing = 0;
  for (const { layer, firstSpan, endSpan } of plan) {
    for (let span = firstSpan; span < endSpan; span++) {
      if (spans.has(span)) continue;
      spans.add(span);
      plainBytes += layers.spanEnd(layer, span) - layers.spanOffsets[span]!;
      if (!content.isCached(layer, span)) missing++;
    }
  }
  if (missing > 0) throw new ClipError("io", `the cache did not take ${missing} of ${spans.size} spans`);
  const fetched = `${formatBytes(fetchedBytes)} fetched in ${formatCount(requests, "request")}`;
  return `${spans.size} spans of ${formatBytes(plainBytes)} are in the cache; ${fetched}`;
}
