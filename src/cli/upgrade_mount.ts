import { ClipError, messageOf, sleep, writeFileAtomically } from "../base/mod.ts";
import { type FoundRecord, liveMounts, type MountSupervisor } from "../mount/mod.ts";
import type { Io } from "./io.ts";
import { askForStats, mountFolders } from "./live_mounts.ts";
import { SupervisorFile } from "./supervisor.ts";

/** A server that does not serve by then will not. */
const TAKEOVER_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
/** A signal between two servers meets nobody: it is sent again. */
const SIGNAL_EVERY_MS = 5000;

/**
 * Has the server of a mount replaced by this very program; readers wait meanwhile, and none fails. The record of the new
 * server, once it answers.
 * @throws {ClipError} when nobody supervises the mount, its supervisor cannot be told, or no new server comes.
 */
export async function upgradeMount({ record }: FoundRecord, io: Pick<Io, "env">): Promise<FoundRecord> {
  const { mountpoint, supervisor, device } = record;
  if (supervisor === undefined) throw new ClipError("io", `${mountpoint}: nobody supervises it; mount it again`);
  const program = Deno.execPath();
  await checkSupervisor(mountpoint, supervisor);
  await tellProgram(mountpoint, supervisor, program);
  const old = new Set([record.pid]);
  let signalledAt = -Infinity;
  for (const deadline = Date.now() + TAKEOVER_TIMEOUT_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    if (Date.now() > signalledAt + SIGNAL_EVERY_MS) {
      signal(mountpoint, supervisor);
      signalledAt = Date.now();
    }
    const next = (await liveMounts(mountFolders(io))).find(({ record }) => record.device === device);
    if (next === undefined || old.has(next.record.pid)) continue;
    if (!await runs(next.record.pid, program)) {
      // It was being started while it was told of another.
      old.add(next.record.pid);
      signalledAt = -Infinity;
      continue;
    }
    await askForStats(next);
    return next;
  }
  throw new ClipError("io", `${mountpoint}: no new server within ${TAKEOVER_TIMEOUT_MS / 1000} s`);
}

/** Numbers of processes are used again: whoever has this one now must be the supervisor. */
async function checkSupervisor(mountpoint: string, { pid, folder, isStandalone }: MountSupervisor): Promise<void> {
  const args = (await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "")).split("\0");
  if (!args.includes("clip-supervisor") || !args.includes(folder)) {
    throw new ClipError("io", `${mountpoint}: its supervisor, process ${pid}, is not to be found here`);
  }
  if (isStandalone !== Deno.build.standalone) {
    const kind = (standalone: boolean) => standalone ? "an executable" : "Deno with the source";
    const is = `${kind(isStandalone)} serves it, and this is ${kind(Deno.build.standalone)}`;
    throw new ClipError("io", `${mountpoint}: ${is}; mount it again`);
  }
}

async function tellProgram(mountpoint: string, { folder }: MountSupervisor, program: string): Promise<void> {
  try {
    await writeFileAtomically(`${folder}/${SupervisorFile.program}`, [new TextEncoder().encode(`${program}\n`)]);
  } catch (error) {
    throw new ClipError("io", `${mountpoint}: cannot tell its supervisor: ${messageOf(error)}`, { cause: error });
  }
}

function signal(mountpoint: string, { pid }: MountSupervisor): void {
  try {
    Deno.kill(pid, "SIGHUP");
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
