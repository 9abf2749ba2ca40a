import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { UsageError, writeFileAtomically } from "../../base/mod.ts";
import { exportArchive } from "../../extract/mod.ts";
import { optionalArgument, path, requiredArgument } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import { findImage, imageOptionFields, openFound } from "../image_options.ts";
import { createBytesProgress } from "../progress.ts";
import { selectPaths } from "../select_paths.ts";

const STANDARD_OUTPUT = "-";

/** `clip export` */
export const export_ = defineCommand({
  summary: "Write the files of an image as a tar stream.",
  description:
    message`Everything, or these paths (directories with all that is in them), to standard output or a file. \
The same image gives the same bytes: entries by name, numbers for owners, PAX records for long names, times before 1970 or \
with fractions, and extended attributes; sparse files with their holes. What is not in the cache is fetched, and \
everything is verified: a stream that cannot be finished breaks off in the midst of an entry, with exit status 1.`,
  examples: [
    "clip export ubuntu.clip | tar -t",
    "clip export ubuntu:24.04 /etc /usr/bin/env | tar -x -C ubuntu",
    "clip export ubuntu.clip -o ubuntu.tar",
  ],
  parser: object({
    file: requiredArgument("FILE.clip|IMAGE", message`What clip index wrote, or an image.`),
    paths: multiple(optionalArgument("PATH", message`In the image; a link is not followed.`)),
    output: optional(option("-o", "--output", path("FILE.tar|-"), {
      description: message`Write to this file, which appears when it is complete; default -, standard output.`,
    })),
    ...imageOptionFields,
  }),
  async run({ file, paths, output = STANDARD_OUTPUT, ...choices }, context) {
    const { io, log } = context;
    if (output === STANDARD_OUTPUT && io.isOutTerminal) {
      throw new UsageError("a tar stream is nothing for a terminal: give -o FILE.tar, or send it to a program");
    }
    const found = await findImage(file, choices, context);
    const archive = await found.open();
    const selection = selectPaths(archive, paths);
    const { content, close } = openFound(archive, found, choices, context);
    const progress = createBytesProgress(choices.indexing.progress, io);
    const { onProgress } = progress;
    const pieces = exportArchive({ content, selection, signal: io.signal, log, onProgress });
    try {
      if (output !== STANDARD_OUTPUT) return await writeFileAtomically(output, pieces);
      for await (const piece of pieces) await io.stream(piece);
    } finally {
      progress.end();
      await close();
    }
  },
});
