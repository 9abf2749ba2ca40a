import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { isArchiveUrl, messageOf } from "../../base/mod.ts";
import { optionalArgument } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import { checkMachine } from "../doctor/check_machine.ts";
import { checkCache, checkMounts, checkRuntimeFolder } from "../doctor/check_places.ts";
import { checkRegistry, isRegistry } from "../doctor/check_registry.ts";
import { fail, type Finding, ok, showFinding } from "../doctor/finding.ts";
import { thisMachine } from "../doctor/machine.ts";
import { showArchive } from "../archive_url.ts";
import { isFileName } from "../find_archive.ts";
import { listMounts } from "../list_mounts.ts";
import { mountFolders } from "../live_mounts.ts";
import { openArchiveFile } from "../open_archive_file.ts";
import { type CacheChoices, cacheFolder, cacheLimits } from "../open_cache.ts";
import { cacheOptionFields, registryOptions } from "../options.ts";
import type { CommandContext } from "../io.ts";
import { type RegistryChoices, sourceOptions } from "../registry_choices.ts";

const REQUEST_TIMEOUT_MS = 10_000;

/** `clip doctor` */
export const doctor = defineCommand({
  summary: "Check what clip needs of this machine, and say what to do.",
  description: message`The kernel, /dev/fuse, fusermount3, the cache and its disk, mounts that nobody serves; of an \
archive or an image also whether its registry answers, takes the login and has it; or only a registry. A line each: ok, \
warn where there could be more, fail where something does not work. Exit status 1 if anything fails.`,
  examples: [
    "clip doctor",
    "clip doctor ubuntu.clip",
    "clip doctor ghcr.io/owner/name:v1",
    "clip doctor --json ghcr.io",
  ],
  parser: object({
    subject: optional(
      optionalArgument("FILE.clip|IMAGE|REGISTRY", message`What is to be mounted, or the registry it is in.`),
    ),
    json: withDefault(flag("--json", { description: message`As JSON.` }), false),
    cache: object("Cache", cacheOptionFields),
    registry: registryOptions,
  }),
  async run({ subject, json, cache, registry }, context) {
    const { io } = context;
    const findings = [...checkMachine(thisMachine()), ...await checkPlaces(cache, context)];
    if (subject !== undefined) findings.push(...await checkSubject(subject, registry, context));
    // What was not answered because of that is no finding.
    io.signal.throwIfAborted();
    if (json) io.out(`${JSON.stringify(findings, undefined, 2)}\n`);
    else io.out(findings.map(showFinding).join(""));
    return findings.some(({ state }) => state === "fail") ? 1 : 0;
  },
});

async function checkPlaces(choices: CacheChoices, { io }: CommandContext): Promise<Finding[]> {
  let folder: string;
  try {
    folder = cacheFolder(choices.cacheDir, io);
  } catch (error) {
    return [fail("cache", messageOf(error), "set CLIP_CACHE_DIR")];
  }
  return [
    await checkCache(folder, (folder) => cacheLimits(folder, choices, io)),
    await checkRuntimeFolder(mountFolders(io)),
    ...checkMounts(await listMounts(io)),
  ];
}

async function checkSubject(text: string, registry: RegistryChoices, context: CommandContext): Promise<Finding[]> {
  const { signal } = context.io;
  const options = { ...sourceOptions(registry, context), signal, requestTimeoutMs: REQUEST_TIMEOUT_MS };
  const isFile = isArchiveUrl(text) || isFileName(text) ||
    await Deno.stat(text).then(({ isFile }) => isFile, () => false);
  if (!isFile || isRegistry(text) && !isArchiveUrl(text) && !text.endsWith(".clip")) {
    return await checkRegistry(text, options);
  }
  try {
    const { image, carriesData } = await openArchiveFile(text, context);
    if (carriesData) return [ok("archive", `${showArchive(text)} can be read, and carries its data`)];
    return [ok("archive", `${showArchive(text)} can be read`), ...await checkRegistry(image.source, options)];
  } catch (error) {
    return [fail("archive", messageOf(error), "clip index makes a new one")];
  }
}
