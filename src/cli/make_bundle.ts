import { resolve } from "node:path";
import type { Archive } from "../archive/mod.ts";
import {
  attributesOf,
  bindMount,
  type BundleFolder,
  convertConfig,
  type HostVolume,
  type ImageConfig,
  imageVolumes,
  needsUserFiles,
  readImageConfig,
  readUserFiles,
  resolveUser,
  type RuntimeConfig,
  type RuntimeSetting,
  type RuntimeUser,
} from "../bundle/mod.ts";
import { ClipError, messageOf } from "../base/mod.ts";
import type { ContainerChoices } from "./container_options.ts";
import { startDaemon } from "./daemon.ts";
import type { FoundArchive } from "./find_archive.ts";
import { findImage, type ImageChoices, openFound } from "./image_options.ts";
import type { CommandContext, Io } from "./io.ts";
import { requireImage } from "./open_archive_file.ts";

/** Number of the root's inode. */
const ROOT = 1;

/** What a container is made of: the values of the options of `clip bundle` and `clip run`. */
export interface BundleChoices extends ImageChoices {
  /** An archive or an image. */
  readonly file: string;
  /** The program and its arguments; empty: those of the image. */
  readonly program: readonly string[];
  readonly container: ContainerChoices;
}

/** An image to make containers of. */
export interface BundleImage {
  readonly found: FoundArchive;
  readonly archive: Archive;
  readonly config: ImageConfig;
  /** Whom its program runs as. */
  readonly user: RuntimeUser;
}

/** Finds the image, and all in it that can be wrong, before anything is mounted. @throws {ClipError} */
export async function openBundleImage(choices: BundleChoices, context: CommandContext): Promise<BundleImage> {
  const found = await findImage(choices.file, choices, context);
  const archive = await found.open();
  requireImage(archive, "run: mount it, and bring a config.json");
  const config = readImageConfig(await archive.config(), archive.description);
  const name = choices.container.user ?? config.user;
  if (!needsUserFiles(name)) return { found, archive, config, user: resolveUser(name, NO_FILES) };
  const opened = openFound(archive, found, choices, context);
  try {
    return { found, archive, config, user: resolveUser(name, await readUserFiles(opened.content, context.io.signal)) };
  } finally {
    await opened.close();
  }
}

const NO_FILES = { passwd: undefined, group: undefined };

/**
 * Fills the empty `folder`: mounts the image, lays an overlay over it, writes `config.json`. When that fails, it
 * is empty again.
 * @throws {ClipError}
 */
export async function makeBundle(
  folder: BundleFolder,
  image: BundleImage,
  choices: BundleChoices,
  context: CommandContext,
): Promise<void> {
  const { container } = choices;
  const { tree } = image.archive;
  const setting = await readSetting(container.network);
  const { userNamespace } = setting;
  const bound = [...await Promise.all(container.volumes.map(onMachine)), ...await networkFiles(setting)];
  const taken = container.volumes.map(({ destination }) => destination);
  const volumes = imageVolumes(image.config.volumes, { tree, folder, taken, userNamespace });
  const mounts = [...volumes.map(({ mount }) => mount), ...bound.map(bindMount)];
  const config = runtimeConfig(image, choices, { mounts, setting, context });
  try {
    await folder.prepare(container.tmpfsUpper);
    await folder.prepareOverlay(folder.root, attributesOf(tree, ROOT));
    for (const { places, attributes } of volumes) await folder.prepareOverlay(places, attributes);
    await mountLower(folder, image, choices, context);
    context.io.signal.throwIfAborted();
    folder.mountRoot(userNamespace);
    await folder.writeConfig(config);
  } catch (error) {
    await folder.clear().catch((also) => context.log.warn(messageOf(also)));
    throw error;
  }
}

function runtimeConfig(
  { config: image, user }: BundleImage,
  { container, program }: BundleChoices,
  { mounts, setting, context: { io, log } }: {
    mounts: RuntimeConfig["mounts"];
    setting: RuntimeSetting;
    context: CommandContext;
  },
): RuntimeConfig {
  const { entrypoint, workdir, hostname, readOnly, terminal } = container;
  return convertConfig({
    image,
    user,
    overrides: {
      env: container.env.flatMap((entry) => variable(entry, io)),
      entrypoint: entrypoint === undefined ? undefined : [entrypoint].filter((name) => name !== ""),
      command: program,
      workingDir: workdir,
      hostname,
      readOnly,
      terminal,
    },
    setting,
    rootPath: "rootfs",
    mounts,
    warn: (message) => log.warn(message),
  });
}

/** `NAME=VALUE`, or `NAME` with the value that it has here, if it has one. */
function variable(entry: string, io: Io): string[] {
  if (entry.includes("=")) return [entry];
  const value = io.env(entry);
  return value === undefined ? [] : [`${entry}=${value}`];
}

/** The volume by its absolute path. @throws {ClipError} where there is no such thing. */
async function onMachine(volume: HostVolume): Promise<HostVolume> {
  const source = resolve(volume.source);
  await Deno.stat(source).catch((error) => {
    throw new ClipError("not_found", `cannot show ${source} in the container: ${messageOf(error)}`, { cause: error });
  });
  return { ...volume, source };
}

/** Without these, names of the machine's network mean nothing in the container. */
async function networkFiles({ network }: RuntimeSetting): Promise<HostVolume[]> {
  if (network === "none") return [];
  const files: HostVolume[] = [];
  for (const path of ["/etc/resolv.conf", "/etc/hosts"]) {
    const isThere = await Deno.stat(path).then(({ isFile }) => isFile, () => false);
    if (isThere) files.push({ source: path, destination: path, readOnly: true });
  }
  return files;
}

async function readSetting(network: RuntimeSetting["network"]): Promise<RuntimeSetting> {
  const cgroup2 = await Deno.stat("/sys/fs/cgroup/cgroup.controllers").then(() => true, () => false);
  const uids = await Deno.readTextFile("/proc/self/uid_map").catch(() => "");
  return { network, cgroup2, userNamespace: uids !== "" && !/^\s*0\s+0\s+4294967295\s*$/.test(uids) };
}

/** Serves the image in the background. */
async function mountLower(
  folder: BundleFolder,
  { found }: BundleImage,
  choices: BundleChoices,
  context: CommandContext,
): Promise<void> {
  const { file, content, registry } = choices;
  const { io } = context;
  const mounting = {
    allowOther: false,
    standby: false,
    prefetch: "profile",
    record: undefined,
    recordForMs: undefined,
  } as const;
  const reports = { metrics: undefined, trace: undefined };
  const directory = folder.part("lower");
  const quiet = { ...context, io: { ...io, env: (name: string) => io.env(name), out: () => {} } };
  await startDaemon({ file, directory, mounting, reports, content, registry }, found, quiet);
}

/** @throws {ClipError} unless standard input is a terminal, where one is asked for. */
export function checkTerminal(wanted: boolean): void {
  if (!wanted || Deno.stdin.isTerminal()) return;
  throw new ClipError("usage", "--terminal: standard input is no terminal");
}
