import { startLayerWorkerEarly } from "../indexer/early.ts";
import type { Command } from "./command.ts";

/** A row of the table of commands. Loading one loads nothing of the others: starting up is part of every mount. */
export interface CommandEntry {
  readonly name: string;
  /** One sentence, as `clip help` shows it. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
  /** Begins, before it is loaded, what it is going to need; the function that comes back ends what has not been used. */
  readonly early?: () => () => void;
}

/** Every subcommand, in the order of `clip help`. To add one: a file in commands/ and a row here. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "index",
    summary: "Read an image's layers once and write a .clip file.",
    load: async () => (await import("./commands/index.ts")).index,
    early: startLayerWorkerEarly,
  },
  {
    name: "create",
    summary: "Pack a directory into a .clip file that carries its data.",
    load: async () => (await import("./commands/create.ts")).create,
  },
  {
    name: "convert",
    summary: "Put an image's layers into its .clip file, for use without the registry.",
    load: async () => (await import("./commands/convert.ts")).convert,
  },
  {
    name: "mount",
    summary: "Show an image's root file system in a directory.",
    load: async () => (await import("./commands/mount.ts")).mount,
  },
  {
    name: "unmount",
    summary: "Take a mount away.",
    load: async () => (await import("./commands/unmount.ts")).unmount,
  },
  {
    name: "run",
    summary: "Run a program in a container of an image.",
    load: async () => (await import("./commands/run.ts")).run,
  },
  {
    name: "bundle",
    summary: "Make a folder from which an OCI runtime starts a container.",
    load: async () => (await import("./commands/bundle.ts")).bundle,
  },
  {
    name: "mounts",
    summary: "List mounts, dead ones too.",
    load: async () => (await import("./commands/mounts.ts")).mounts,
  },
  {
    name: "upgrade-mounts",
    summary: "Have live mounts served by this very program.",
    load: async () => (await import("./commands/upgrade_mounts.ts")).upgradeMounts,
  },
  {
    name: "stats",
    summary: "Tell what live mounts have read, and from where.",
    load: async () => (await import("./commands/stats.ts")).stats,
  },
  {
    name: "warm",
    summary: "Fetch an image's files into the cache, without mounting it.",
    load: async () => (await import("./commands/warm.ts")).warm,
  },
  {
    name: "profile",
    summary: "Store in a .clip file what a start reads, to be fetched ahead.",
    load: async () => (await import("./commands/profile.ts")).profile,
  },
  { name: "ls", summary: "List files of an indexed image.", load: async () => (await import("./commands/ls.ts")).ls },
  {
    name: "cat",
    summary: "Write files of an indexed image to standard output.",
    load: async () => (await import("./commands/cat.ts")).cat,
  },
  {
    name: "extract",
    summary: "Write the files of an image to a directory.",
    load: async () => (await import("./commands/extract.ts")).extract,
  },
  {
    name: "export",
    summary: "Write the files of an image as a tar stream.",
    load: async () => (await import("./commands/export.ts")).export_,
  },
  {
    name: "stat",
    summary: "Tell all about a file of an indexed image.",
    load: async () => (await import("./commands/stat.ts")).stat,
  },
  {
    name: "inspect",
    summary: "Tell what a .clip file holds.",
    load: async () => (await import("./commands/inspect.ts")).inspect,
  },
  {
    name: "verify",
    summary: "Check a .clip file, and the image's layers against it.",
    load: async () => (await import("./commands/verify.ts")).verify,
  },
  {
    name: "cache",
    summary: "Look after the layers kept on this machine's disk.",
    load: async () => (await import("./commands/cache.ts")).cache,
  },
  {
    name: "push",
    summary: "Store a .clip file beside its image, for other machines to pull.",
    load: async () => (await import("./commands/push.ts")).push,
  },
  {
    name: "pull",
    summary: "Fetch the .clip file that was pushed for an image.",
    load: async () => (await import("./commands/pull.ts")).pull,
  },
  {
    name: "ls-remote",
    summary: "List the .clip files that were pushed for an image.",
    load: async () => (await import("./commands/ls_remote.ts")).lsRemote,
  },
  {
    name: "rm-remote",
    summary: "Remove .clip files that were pushed for an image.",
    load: async () => (await import("./commands/rm_remote.ts")).rmRemote,
  },
  {
    name: "doctor",
    summary: "Check what clip needs of this machine, and say what to do.",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    name: "completions",
    summary: "Write what a shell needs to complete clip's commands.",
    load: async () => (await import("./commands/completions.ts")).completions,
  },
  {
    name: "version",
    summary: "Tell the version.",
    load: async () => (await import("./commands/version.ts")).version,
  },
];
