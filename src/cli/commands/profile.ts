import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, withDefault } from "@optique/core/modifiers";
import { argument, flag } from "@optique/core/primitives";
import { choice } from "@optique/core/valueparser";
import {
  FileRangeSource,
  formatBytes,
  formatCount,
  isArchiveUrl,
  LazyFile,
  UsageError,
  writeFileAtomically,
} from "../../base/mod.ts";
import { MAGIC, withProfile } from "../../archive/mod.ts";
import { formatProfile, type LayerRange, profileOf } from "../../content/mod.ts";
import { showArchive } from "../archive_url.ts";
import { defineCommand } from "../command.ts";
import { findArchive } from "../find_archive.ts";
import { indexCacheOptions } from "../index_cache_options.ts";
import { indexingOptions } from "../indexing_options.ts";
import { pullingOptions } from "../pulling_options.ts";
import type { CommandContext } from "../io.ts";
import { openArchiveFile } from "../open_archive_file.ts";
import { optionalArgument, requiredArgument } from "../basic_options.ts";
import { cacheDirOption, inflateOption } from "../options.ts";
import { addProfiles, readProfileFile, readProfiles } from "../profile_files.ts";
import { NO_REGISTRY } from "../registry_choices.ts";

const ACTIONS = ["add", "show", "rm"] as const;

/** `clip profile` */
export const profile = defineCommand({
  summary: "Store in a .clip file what a start reads, to be fetched ahead.",
  description:
    message`A profile is what clip mount --record wrote: which parts of the image were read, in which order. \
add puts profiles into an archive, behind what it has of them; clip mount then fetches that first. An IMAGE stands for the \
archive that clip mount made of it, with the same options. show tells what a \
profile or an archive's profile names, with --text as the profile itself. rm takes the profile out of an archive.`,
  examples: [
    "clip profile add python.clip start.profile",
    "clip profile show --text python.clip",
    "clip profile rm python:3.13",
  ],
  parser: object({
    action: argument(choice(ACTIONS, { metavar: "ACTION" }), {
      description: message`add, show or rm.`,
      errors: { endOfInput: message`ACTION is missing: add, show or rm.` },
    }),
    file: requiredArgument(
      "FILE.clip|IMAGE",
      message`An archive, or an image that was mounted; to show, a profile too.`,
    ),
    profiles: multiple(optionalArgument("PROFILE", message`To add; several are taken in this order.`)),
    text: withDefault(flag("--text", { description: message`Show the profile itself.` }), false),
    cacheDir: cacheDirOption,
    inflate: inflateOption,
    indexing: indexingOptions,
    reuse: indexCacheOptions,
    pulling: pullingOptions,
  }),
  async run({ action, file, profiles, text, ...choices }, context) {
    if (action === "add" && profiles.length === 0) throw new UsageError("PROFILE is missing: what is to be added?");
    if (action !== "add" && profiles.length > 0) throw new UsageError(`clip profile ${action} takes one file`);
    if (text && action !== "show") throw new UsageError("--text goes with show");
    if (action !== "show" && isArchiveUrl(file)) {
      throw new UsageError(`${showArchive(file)} cannot be changed where it is: change a copy`);
    }
    // An image is not looked up or indexed for this: what was mounted is known.
    const { path } = await findArchive(file, { ...choices, offline: true, registry: NO_REGISTRY }, context);
    if (action === "add") await add(path, profiles, context);
    else if (action === "rm") await writeFileAtomically(path, withProfile(wholeFile(path, context), []));
    else await show(path, text, context);
  },
});

async function add(file: string, paths: readonly string[], context: CommandContext): Promise<void> {
  const archive = await openArchiveFile(file, context);
  const profiles = await readProfiles(paths);
  const { pieces, ranges } = addProfiles(archive, wholeFile(file, context), { profiles, log: context.log });
  await writeFileAtomically(file, pieces);
  context.io.out(`${file}: ${describe(ranges)}\n`);
}

/** A file that is rewritten whole: a mount that has it open goes on with the old one. */
function wholeFile(file: string, { atEnd }: CommandContext): FileRangeSource {
  const opened = new LazyFile(file);
  atEnd(() => opened.close());
  return FileRangeSource.whole(opened);
}

async function show(file: string, text: boolean, context: CommandContext): Promise<void> {
  const { io } = context;
  const ranges = isArchive(file) ? profileOf(await openArchiveFile(file, context)) : await readProfileFile(file);
  if (text) return io.out(formatProfile(ranges));
  io.out(`${showArchive(file)}: ${describe(ranges)}\n`);
  const layers = new Map<string, LayerRange[]>(ranges.map(({ diffId }) => [diffId, []]));
  for (const range of ranges) layers.get(range.diffId)!.push(range);
  for (const [diffId, own] of layers) io.out(`  ${diffId}: ${describe(own)}\n`);
}

/** Whether a file begins as an archive does; what cannot be read is told of by who reads it. */
function isArchive(path: string): boolean {
  if (isArchiveUrl(path)) return true;
  const head = new Uint8Array(MAGIC.length);
  const file = new LazyFile(path);
  try {
    if (file.sizeBytes() < head.length) return false;
    file.read(head, 0);
    return MAGIC.every((byte, at) => head[at] === byte);
  } finally {
    file.close();
  }
}

function describe(ranges: readonly { plainOffset: number; plainEndExclusive: number }[]): string {
  if (ranges.length === 0) return "no profile";
  const plainBytes = ranges.reduce((sum, range) => sum + range.plainEndExclusive - range.plainOffset, 0);
  return `${formatCount(ranges.length, "range")} of ${formatBytes(plainBytes)} unpacked`;
}
