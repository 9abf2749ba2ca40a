import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { choice, integer } from "@optique/core/valueparser";
import {
  ClipError,
  formatBytes,
  formatDuration,
  messageOf,
  replaceFileAtomically,
  UsageError,
} from "../../base/mod.ts";
import {
  canCompress,
  type Compression,
  defaultCompression,
  packDirectory,
  type PackedDirectory,
} from "../../pack/mod.ts";
import { defineCommand } from "../command.ts";
import { path, requiredArgument } from "../basic_options.ts";
import { createPackProgress, PROGRESS_MODES } from "../progress.ts";

/** Highest levels. Those of zstd above take hundreds of MiB a thread. */
const MAX_LEVEL = { zstd: 19, gzip: 9 } as const;

/** `clip create` */
export const create = defineCommand({
  summary: "Pack a directory into a .clip file that carries its data.",
  description:
    message`Owners, modes, times, extended attributes, hard links, holes and special files are kept; nothing \
is opened but directories and regular files. Equal files, and equal stretches of long ones, are stored once. The same tree \
gives the same bytes. A file that changes while it is read is an error. Mount it, or read it with clip ls, cat and stat, \
from a disk, or from s3:// or https:// with ranges.`,
  examples: [
    "clip create /srv/tree -o tree.clip",
    "clip create --one-file-system / -o machine.clip",
    "clip create --level 12 tree -o tree.clip && clip mount tree.clip /mnt",
  ],
  parser: object({
    directory: requiredArgument("DIR", message`What to pack.`),
    packing: object("Packing", {
      output: option("-o", "--output", path("FILE"), {
        description: message`Where to write; outside of DIR.`,
      }),
      codec: optional(option("--compression", choice(["zstd", "gzip"], { metavar: "zstd|gzip" }), {
        description: message`Default zstd, or gzip where the runtime has no zstd.`,
      })),
      level: optional(option("--level", integer({ metavar: "N", min: 1, max: 19 }), {
        description: message`How hard to compress: zstd 1 to 19, gzip 1 to 9; default 6.`,
      })),
      oneFileSystem: withDefault(
        flag("--one-file-system", {
          description: message`Leave out what other file systems hold below DIR; the directories they lie on are kept.`,
        }),
        false,
      ),
      progress: withDefault(
        option("--progress", choice(PROGRESS_MODES, { metavar: "MODE" }), {
          description: message`auto, plain, json or none; default auto.`,
        }),
        "auto" as const,
      ),
    }),
  }),
  async run({ directory, packing }, { io }) {
    const started = performance.now();
    const { output, oneFileSystem } = packing;
    const compression = chooseCompression(packing);
    await checkPlaces(directory, output);
    const progress = createPackProgress(packing.progress, io);
    try {
      const packed = await replaceFileAtomically(
        output,
        (file) =>
          packDirectory(directory, file, {
            compression,
            oneFileSystem,
            signal: io.signal,
            onProgress: progress.onProgress,
          }),
      );
      progress.end();
      io.out(`${summary(output, packed)}, ${formatDuration(performance.now() - started)}\n`);
    } finally {
      progress.end();
    }
  },
});

function chooseCompression(
  { codec, level }: { codec: Compression["codec"] | undefined; level: number | undefined },
): Compression {
  const usual = defaultCompression();
  const chosen = { codec: codec ?? usual.codec, level: level ?? usual.level };
  if (!canCompress(chosen.codec)) {
    throw new UsageError("this clip runs on a Deno that cannot compress with zstd: give --compression gzip");
  }
  const most = MAX_LEVEL[chosen.codec];
  if (chosen.level > most) throw new UsageError(`--level ${chosen.level}: ${chosen.codec} has levels 1 to ${most}`);
  return chosen;
}

/** Says before the work what cannot be done. Inside of DIR even a temporary file would change what is packed. */
async function checkPlaces(directory: string, output: string): Promise<void> {
  const whole = await Deno.realPath(directory).catch((error) => {
    if (error instanceof Deno.errors.NotFound) throw new ClipError("not_found", `${directory} does not exist`);
    throw new ClipError("io", `cannot read ${directory}: ${messageOf(error)}`, { cause: error });
  });
  const slash = output.lastIndexOf("/");
  const folder = slash < 0 ? "." : output.slice(0, slash + 1);
  const real = await Deno.realPath(output).catch(() => Deno.realPath(folder)).catch((error) => {
    throw new ClipError("io", `cannot write ${output}: ${messageOf(error)}`, { cause: error });
  });
  if (`${real}/`.startsWith(whole.endsWith("/") ? whole : `${whole}/`)) {
    throw new ClipError("io", `cannot write ${output}: it is inside of ${directory}, which it is made of`);
  }
}

function summary(output: string, packed: PackedDirectory): string {
  const { archiveBytes, entries, readBytes, plainBytes } = packed;
  const share = readBytes === 0 ? "" : `, ${(100 * archiveBytes / readBytes).toFixed(1)} %`;
  const once = plainBytes < readBytes ? `, ${formatBytes(readBytes - plainBytes)} of them not for the first time` : "";
  return `${output}: ${formatBytes(archiveBytes)}${share} of ${entries} entries with ${formatBytes(readBytes)}${once}`;
}
