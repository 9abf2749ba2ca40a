import { basename, dirname, resolve } from "node:path";
import { ClipError, type Digest, type Logger, messageOf } from "../base/mod.ts";
import { type Archive, treeDigest } from "../archive/mod.ts";
import { tellBoth } from "../content/mod.ts";
import { isFuseMounted, libc, mountAt, mountFuse, unmountFuse } from "../fuse/mod.ts";
import { type AdoptedMount, type ArchiveMount, limitMemory, mountArchive, releaseMemory } from "../mount/mod.ts";
import { showArchive } from "./archive_url.ts";
import type { MountChoices } from "./commands/mount.ts";
import type { FoundArchive } from "./find_archive.ts";
import type { CommandContext } from "./io.ts";
import { isKernelSince, RESEND_SINCE } from "./kernel_release.ts";
import { MountReports } from "./mount_reports.ts";
import { openContent } from "./open_content.ts";
import { prefetch } from "./prefetch.ts";
import { type Recording, startRecording } from "./recording.ts";
import { ServiceManager } from "./service_manager.ts";
import { openTurn, SupervisorFile, tellSupervisor } from "./supervisor.ts";

/** What a server has to do with whoever started it. */
export interface Serving {
  /** The mount that is there already, where there is one. */
  readonly adopt: AdoptedMount | undefined;
  readonly mountpoint: string;
  readonly manager: ServiceManager | undefined;
  /** Digest of the tree that the mount showed so far; undefined where its supervisor has that. */
  readonly tree?: Digest;
}

/** Whether the mount is there already, and whose turn it is to serve it: before anything else looks at the mountpoint. */
export async function findServing(
  { directory, mounting: { fuseFd, supervised, resend } }: MountChoices,
  { io, log }: CommandContext,
): Promise<Serving> {
  if (fuseFd !== undefined && supervised !== undefined) {
    // Where that has just ended, this one is about to.
    const onStanding = () => void tellSupervisor(supervised, "standby").catch((error) => log.warn(messageOf(error)));
    const adopt = { fd: fuseFd, resend, turnFd: openTurn(supervised), onStanding, signal: io.signal };
    return { adopt, mountpoint: directory, manager: undefined };
  }
  const manager = ServiceManager.find(io);
  const stored = manager?.takeStored();
  if (stored === undefined) return { adopt: undefined, mountpoint: directory, manager };
  const { fd, tree } = stored;
  // Nobody serves it: its own directory would not answer.
  const parent = await Deno.realPath(dirname(resolve(directory))).catch(() => dirname(resolve(directory)));
  const mountpoint = resolve(parent, basename(resolve(directory)));
  if ((await mountAt(mountpoint))?.type === "fuse.clip") {
    return { adopt: { fd, resend: true }, mountpoint, manager, tree };
  }
  manager!.forget();
  libc().close(fd);
  return { adopt: undefined, mountpoint: directory, manager };
}

/** Serves the mount until its end. @throws {ClipError} */
export async function serveMount(
  found: FoundArchive,
  options: MountChoices,
  planned: Serving,
  context: CommandContext,
): Promise<void> {
  const { record, recordForMs: durationMs, supervised } = options.mounting;
  const { metrics: listen, trace } = options.reports;
  const archive = await found.open();
  const serving = await sameTree(archive, planned, { supervised, log: context.log });
  const source = found.source ?? archive.image.source;
  const mount = { archive, path: found.path, directory: serving.mountpoint, source, supervised };
  // What the server before this one listens on is free when it is gone.
  const isNext = serving.adopt?.resend === true;
  const reports = await MountReports.open(mount, { metrics: isNext ? undefined : listen, trace }, context);
  let recording: Recording | undefined;
  try {
    // What the server before this one has recorded is worth more than what it would be overwritten with.
    if (record !== undefined && !isNext) {
      recording = await startRecording(archive, record, { durationMs, log: context.log });
    }
    await serve(archive, { ...options, content: { ...options.content, source } }, {
      reports,
      recording,
      serving,
      listen: isNext ? listen : undefined,
    }, context);
  } finally {
    await recording?.end();
    await reports.close();
  }
}

/**
 * Sees to it that a mount goes on with the tree that it showed: the kernel keeps names, attributes and pages by inode
 * numbers, which are the archive's. Where the archive has been replaced by another image's, no server goes on; under a
 * service manager, which would start the next, the mount is made anew.
 * @throws {ClipError}
 */
async function sameTree(
  archive: Archive,
  serving: Serving,
  { supervised, log }: { supervised: string | undefined; log: Logger },
): Promise<Serving> {
  const { adopt, mountpoint, manager, tree } = serving;
  if (adopt === undefined) return serving;
  const found = treeDigest(archive);
  const file = `${supervised}/${SupervisorFile.tree}`;
  if (supervised !== undefined && !adopt.resend) await Deno.writeTextFile(file, found);
  const expected = supervised === undefined ? tree : await Deno.readTextFile(file);
  if (found === expected) return serving;
  const problem = `${archive.description} is not of the image any more that is mounted on ${mountpoint}`;
  if (manager === undefined) throw new ClipError("io", `${problem}: unmount it, and mount again`);
  log.warn(`${problem}: it is mounted anew, and who has files open there cannot go on`);
  manager.forget();
  libc().close(adopt.fd);
  await unmountFuse(mountpoint, { lazy: true });
  return { adopt: undefined, mountpoint, manager };
}

/** Mounts, unless that is done, and has the service manager keep the connection, where another server can go on with it. */
async function mountStored(
  archive: Archive,
  serving: Serving,
  { mounting: { allowOther } }: MountChoices,
  { log }: CommandContext,
): Promise<Serving> {
  const { adopt, manager, mountpoint: directory } = serving;
  if (adopt !== undefined || !isKernelSince(Deno.osRelease(), RESEND_SINCE)) return serving;
  const { fd, mountpoint } = await mountFuse(directory, { log, ...(allowOther ? { allowOther } : {}) });
  try {
    manager!.store(fd, treeDigest(archive));
  } catch (error) {
    log.warn(`the mount will not outlive this process: ${messageOf(error)}`);
  }
  return { ...serving, adopt: { fd, resend: false }, mountpoint };
}

/** Takes a mount away that nobody has served. Never throws: there is an error to be told already. */
async function takeAway({ manager, mountpoint }: Serving): Promise<void> {
  await unmountFuse(mountpoint, { lazy: true }).catch(() => {});
  try {
    manager?.forget();
  } catch {
    // It notices by itself.
  }
}

async function serve(
  archive: Archive,
  options: MountChoices,
  { reports, recording, serving, listen }: {
    reports: MountReports;
    recording: Recording | undefined;
    serving: Serving;
    listen: MountChoices["reports"]["metrics"];
  },
  context: CommandContext,
): Promise<void> {
  const { io, log, writeLog, logging } = context;
  const { metrics } = reports;
  limitMemory();
  const observer = recording === undefined ? metrics : tellBoth(metrics, recording.observer);
  const choices = { ...options.content, registry: options.registry };
  const { content, close } = openContent(archive, choices, {
    io,
    log,
    observer,
    cacheObserver: metrics,
    onIdle: releaseMemory,
  });
  if (recording !== undefined) content.watchTouches();
  const ending = new AbortController();
  try {
    const stored = serving.manager === undefined ? serving : await mountStored(archive, serving, options, context);
    const { adopt, mountpoint } = stored;
    const mounting = mountArchive(content, mountpoint, {
      adopt,
      ...(options.mounting.allowOther ? { allowOther: true } : {}),
      log,
      logJson: logging.logJson,
      writeLog,
      metrics,
      // The first reads follow at the mount's heels.
      meanwhile: () => {
        const mode = options.content.offline ? "none" : options.mounting.prefetch;
        // Where something is fetched at once, that goes first.
        if (mode === "none" || (mode === "profile" && archive.profile.length === 0)) content.warm();
        const prefetched = prefetch(content, { mode, signal: ending.signal, log });
        prefetched.catch((error) => log.error(`prefetching failed: ${messageOf(error)}`));
      },
    });
    const mounted = await mounting.catch(async (error) => {
      // The server before this one has unmounted, and its turn was the last.
      if (adopt?.resend && !await isFuseMounted(mountpoint).catch(() => true)) return undefined;
      if (stored !== serving) await takeAway(stored);
      throw error;
    });
    if (mounted === undefined) return log.info("the mount is gone already", { mountpoint });
    await tell(mounted, options, serving, context);
    const onAbort = () => mounted.unmount().catch((error) => log.error(messageOf(error)));
    if (io.signal.aborted) onAbort();
    io.signal.addEventListener("abort", onAbort, { once: true });
    if (listen !== undefined) await reports.listen(listen).catch((error) => log.warn(messageOf(error)));
    const published = reports.publish(mounted.mountpoint);
    await mounted.ended;
    await published;
    log.info("unmounted", { mountpoint: mounted.mountpoint, ...content.counters });
    serving.manager?.forget();
  } finally {
    ending.abort(new DOMException("the mount has ended", "AbortError"));
    await close();
  }
}

/** Says that the mount answers, to whomever wants to know. */
async function tell(
  { mountpoint }: ArchiveMount,
  { file, mounting: { supervised } }: MountChoices,
  { manager }: Serving,
  { io, log }: CommandContext,
): Promise<void> {
  if (supervised !== undefined) return await tellSupervisor(supervised, "server");
  io.out(`mounted ${showArchive(file)} on ${mountpoint}\n`);
  try {
    manager?.ready(mountpoint);
  } catch (error) {
    log.warn(messageOf(error));
  }
}
