import { object, or } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, multiple, withDefault } from "@optique/core/modifiers";
import { command, flag } from "@optique/core/primitives";
import { collectGarbage, listCache, removeFromCache, statCache } from "../cache_actions.ts";
import { verifyWholeCache } from "../cache_verify.ts";
import { defineCommand } from "../command.ts";
import { optionalArgument } from "../basic_options.ts";
import { cacheDirOption, cacheOptionFields } from "../options.ts";

const jsonOption = withDefault(flag("--json", { description: message`As JSON.` }), false);

const list = command("ls", object({ cacheDir: cacheDirOption, json: jsonOption }), {
  brief: message`List the layers in the cache.`,
  description:
    message`What each takes of the disk, its size unpacked, how many of its spans are present, when it was used \
last, whether a process has it open, and its digest.`,
});

const stat = command("stat", object({ ...cacheOptionFields, json: jsonOption }), {
  brief: message`Tell how full the cache is.`,
});

const gc = command(
  "gc",
  object({
    ...cacheOptionFields,
    allUnused: withDefault(flag("--all-unused", { description: message`Remove all that no process has open.` }), false),
  }),
  {
    brief: message`Bring the cache below its limits.`,
    description: message`Layers that no process has open are removed, those used longest ago first, until the cache is \
within --cache-size and --cache-reserve.`,
  },
);

const rm = command(
  "rm",
  object({
    digests: multiple(optionalArgument("DIGEST", message`As clip cache ls shows it; its first characters will do.`)),
    all: withDefault(flag("--all", { description: message`Remove all layers.` }), false),
    force: withDefault(
      flag("--force", {
        description: message`Those in use too: mounts keep what they have open, and its room, until they end.`,
      }),
      false,
    ),
    cacheDir: cacheDirOption,
  }),
  { brief: message`Remove layers from the cache.` },
);

const verify = command(
  "verify",
  object({
    archives: multiple(optionalArgument("FILE.clip", message`Archives beside those in the cache folder.`)),
    cacheDir: cacheDirOption,
  }),
  {
    brief: message`Compare what is cached with the digests of archives.`,
    description:
      message`Only archives know what a layer's bytes should be: those given, and those that clip mount IMAGE \
keeps in the cache folder. Damaged spans are forgotten, so that they are fetched again. Status 1 where there were any.`,
  },
);

/** `clip cache` */
export const cache = defineCommand({
  summary: "Look after the layers kept on this machine's disk.",
  description:
    message`Layers that were read are kept in the cache folder, for all mounts of the machine, within limits: \
see --cache-size and --cache-reserve of clip mount. Nothing here disturbs a mount.`,
  examples: [
    "clip cache ls",
    "clip cache gc --cache-size 2GiB",
    "clip cache rm --all",
    "clip cache verify ubuntu.clip",
  ],
  parser: or(
    map(list, (options) => ({ action: "ls" as const, options })),
    map(stat, (options) => ({ action: "stat" as const, options })),
    map(gc, (options) => ({ action: "gc" as const, options })),
    map(rm, (options) => ({ action: "rm" as const, options })),
    map(verify, (options) => ({ action: "verify" as const, options })),
  ),
  async run(chosen, context) {
    switch (chosen.action) {
      case "ls":
        return listCache(chosen.options, context);
      case "stat":
        return statCache(chosen.options, context);
      case "gc":
        return await collectGarbage(chosen.options, context);
      case "rm":
        return removeFromCache(chosen.options, context);
      case "verify":
        return await verifyWholeCache(chosen.options, context);
    }
  },
});
