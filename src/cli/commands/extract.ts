import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { formatBytes, formatCount, formatDuration, UsageError } from "../../base/mod.ts";
import { extractArchive, type Extracted } from "../../extract/mod.ts";
import { optionalArgument, requiredArgument } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import { findImage, imageOptionFields, openFound } from "../image_options.ts";
import { createBytesProgress } from "../progress.ts";
import { selectPaths } from "../select_paths.ts";

/** `clip extract` */
export const extract = defineCommand({
  summary: "Write the files of an image to a directory.",
  description: message`Everything, or these paths (directories with all that is in them), as they are in the image: \
with owners, modes, times, attributes and links. DIR is made, or is empty. What is not in the cache is fetched, and \
everything is verified. Nothing is written outside DIR, and no symlink is followed there. After an interruption the \
same command goes on where the last one stopped. Users other than root go without what they have no right to (owners, \
devices), and are told so.`,
  examples: [
    "clip extract ubuntu.clip ubuntu",
    "clip extract ubuntu:24.04 /etc /usr/bin/env ubuntu-part",
    "clip extract --no-same-owner --overwrite ubuntu.clip ubuntu",
  ],
  parser: object({
    file: requiredArgument("FILE.clip|IMAGE", message`What clip index wrote, or an image.`),
    paths: multiple(
      optionalArgument("[PATH…] DIR", message`Paths in the image, the links among them not followed; the directory.`),
      { min: 1, errors: { tooFew: message`DIR is missing.` } },
    ),
    extracting: object("Extracting", {
      overwrite: withDefault(
        flag("--overwrite", {
          description: message`DIR may hold something: what has the name of a file of the image is replaced.`,
        }),
        false,
      ),
      noSameOwner: withDefault(
        flag("--no-same-owner", { description: message`Everything belongs to whoever extracts it.` }),
        false,
      ),
    }),
    ...imageOptionFields,
  }),
  async run({ file, paths, extracting, ...choices }, context) {
    const { io, log } = context;
    const directory = paths.at(-1)!;
    if (directory === "") throw new UsageError("DIR is empty");
    const found = await findImage(file, choices, context);
    const archive = await found.open();
    const selection = selectPaths(archive, paths.slice(0, -1));
    const { content, close } = openFound(archive, found, choices, context);
    const progress = createBytesProgress(choices.indexing.progress, io);
    const started = performance.now();
    try {
      const extracted = await extractArchive({
        content,
        selection,
        directory,
        overwrite: extracting.overwrite,
        sameOwner: !extracting.noSameOwner,
        signal: io.signal,
        log,
        onProgress: progress.onProgress,
      });
      progress.end();
      const duration = formatDuration(performance.now() - started);
      io.out(`${directory}: ${summary(extracted, content.counters)}; ${duration}\n`);
    } finally {
      progress.end();
      await close();
    }
  },
});

function summary(
  { nodes, dataBytes, resumedFiles }: Extracted,
  { fetchedBytes, requests }: { fetchedBytes: number; requests: number },
): string {
  const resumed = resumedFiles === 0 ? "" : `, ${resumedFiles} of them files from an earlier run`;
  const fetched = `${formatBytes(fetchedBytes)} fetched in ${formatCount(requests, "request")}`;
  return `${nodes} names${resumed}, ${formatBytes(dataBytes)}; ${fetched}`;
}
