import { ClipError, messageOf, sleep, writeFileAtomically } from "../base/mod.ts";
import { type FoundRecord, liveMounts, type MountSupervisor } from "../mount/mod.ts";
import type { Io } from "./io.ts";
import { askForStats, mountFolders } from "./live_mounts.ts";
import { findSupervisor, SIGNAL_AGAIN_MS, sizeOf, SupervisorFile, whatWasSaid } from "./supervisor.ts";
import { VERSION } from "./version.ts";

/** A server that does not serve by then will not. */
const TAKEOVER_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/**
 * Has the server of a mount replaced by this very program; readers wait for a moment at most, and none fails. The record
 * of the new server, once it answers.
 * @throws {ClipError} when nobody supervises the mount, or its supervisor cannot be told; with what the new server said,
 * when it does not get as far as serving, or ends at once: the one before it goes on then, or another of its program. The
 * reason of `io.signal`: the supervisor goes on with what it was told.
 */
export async function upgradeMount({ record }: FoundRecord, io: Pick<Io, "env" | "signal">): Promise<FoundRecord> {
  const { mountpoint, supervisor, device } = record;
  if (supervisor === undefined) throw new ClipError("io", `${mountpoint}: nobody supervises it; mount it again`);
  const program = Deno.execPath();
  const { logFile } = await checkSupervisor(mountpoint, supervisor);
  const logged = await sizeOf(logFile);
  const before = await tellProgram(mountpoint, supervisor, program);
  signal(mountpoint, supervisor, "SIGHUP");
  let next: FoundRecord | undefined;
  let toldAt = Date.now();
  for (const deadline = toldAt + TAKEOVER_TIMEOUT_MS; Date.now() < deadline; await sleep(POLL_MS, io.signal)) {
    if (Date.now() - toldAt > SIGNAL_AGAIN_MS) {
      toldAt = Date.now();
      signal(mountpoint, supervisor, "SIGUSR1");
    }
    if (await isThere(`${supervisor.folder}/${SupervisorFile.refused}`)) {
      const said = await whatWasSaid(logFile, logged);
      throw new ClipError("io", `${mountpoint}: clip ${VERSION} could not take over, the one before goes on: ${said}`);
    }
    next = (await liveMounts(mountFolders(io))).find(({ record }) => record.device === device);
    if (next === undefined || next.record.pid === record.pid || !await runs(next.record.pid, program)) continue;
    await askForStats(next);
    return next;
  }
  // A program that hangs is not to take over after all.
  if (next?.record.pid === record.pid) {
    await tellProgram(mountpoint, supervisor, before);
    signal(mountpoint, supervisor, "SIGHUP");
  }
  throw new ClipError("io", `${mountpoint}: no new server within ${TAKEOVER_TIMEOUT_MS / 1000} s`);
}

/** Numbers of processes are used again: whoever has this one now must be the supervisor. */
async function checkSupervisor(
  mountpoint: string,
  { pid, folder, isStandalone }: MountSupervisor,
): Promise<{ logFile: string }> {
  const found = await findSupervisor(pid, folder);
  if (found === undefined) {
    throw new ClipError("io", `${mountpoint}: its supervisor, process ${pid}, is not to be found here`);
  }
  if (isStandalone !== Deno.build.standalone) {
    const kind = (standalone: boolean) => standalone ? "an executable" : "Deno with the source";
    const is = `${kind(isStandalone)} serves it, and this is ${kind(Deno.build.standalone)}`;
    throw new ClipError("io", `${mountpoint}: ${is}; mount it again`);
  }
  return found;
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Names the program of the servers to come; which it was before. */
async function tellProgram(mountpoint: string, { folder }: MountSupervisor, program: string): Promise<string> {
  try {
    const before = await Deno.readTextFile(`${folder}/${SupervisorFile.program}`);
    await Deno.remove(`${folder}/${SupervisorFile.refused}`).catch(() => {});
    await writeFileAtomically(`${folder}/${SupervisorFile.program}`, [new TextEncoder().encode(`${program}\n`)]);
    return before.trimEnd();
  } catch (error) {
    throw new ClipError("io", `${mountpoint}: cannot tell its supervisor: ${messageOf(error)}`, { cause: error });
  }
}

function signal(mountpoint: string, { pid }: MountSupervisor, name: "SIGHUP" | "SIGUSR1"): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    const because = error instanceof Deno.errors.NotFound ? "it has ended" : messageOf(error);
    throw new ClipError("io", `${mountpoint}: cannot tell its supervisor, process ${pid}: ${because}`);
  }
}

async function runs(pid: number, program: string): Promise<boolean> {
  // A process that has ended runs nothing.
  const files = await Promise.all([`/proc/${pid}/exe`, program].map((path) => Deno.stat(path))).catch(() => undefined);
  return files !== undefined && files[0]!.dev === files[1]!.dev && files[0]!.ino === files[1]!.ino;
}
