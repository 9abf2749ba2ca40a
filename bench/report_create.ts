import { BenchMount, dropPageCache, timeShell } from "./bench_mount.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";
import { isInstalled, runShell } from "./run_shell.ts";
import { Skipped } from "./skipped.ts";
import { median } from "./statistics.ts";
import { CLIP_FROM_SOURCE } from "./measure_process.ts";

/** What packs the tree $1 to the file $2. */
const PACKERS: Readonly<Record<string, string>> = {
  "clip create": `${CLIP_FROM_SOURCE.join(" ")} create --progress none "$1" -o "$2"`,
  "clip create --level 3": `${CLIP_FROM_SOURCE.join(" ")} create --progress none --level 3 "$1" -o "$2"`,
  "tar | zstd -T0": `tar --xattrs --xattrs-include='*' -cf - "$1" | zstd -q -T0 -o "$2"`,
  "mksquashfs -comp gzip": `mksquashfs "$1" "$2" -comp gzip -noappend -no-progress -quiet`,
  "mksquashfs -comp zstd": `mksquashfs "$1" "$2" -comp zstd -noappend -no-progress -quiet`,
};
/** What is done to a mount, $1. */
const TASKS: Readonly<Record<string, string>> = {
  "read everything": `tar -C "$1" -cf - . | cat > /dev/null`,
  "find -size +0": `find "$1" -xdev -type f -size +0 > /dev/null`,
};

/** A tree packed once by one program, or one task on a mount of what it made. */
export interface CreateRow {
  readonly program: string;
  /** Packing, or a task and whether its caches were full. */
  readonly what: string;
  /** Wall clock, the median. */
  readonly seconds: number;
  /** Of packing: user and system time. */
  readonly processorSeconds?: number;
  /** Of packing: length of what was made. */
  readonly bytes?: number;
}

/**
 * `clip create` beside others on the tree that CLIP_BENCH_TREE names, and mounts of what was made: each task with nothing
 * in any cache, and then with clip's cache full and the kernel's empty.
 */
export async function measureCreatePart({ folder, rounds, say }: ReportOptions): Promise<CreateRow[]> {
  const tree = Deno.env.get("CLIP_BENCH_TREE");
  if (tree === undefined) throw new Skipped("CLIP_BENCH_TREE names no tree to pack");
  for (const program of ["squashfuse_ll", "mksquashfs", "zstd"]) {
    if (!await isInstalled(program)) throw new Skipped(`${program} is not installed`);
  }
  const rows: CreateRow[] = [];
  await runShell(`tar -C "$1" -cf - . | cat > /dev/null`, [tree]);
  for (const [program, script] of Object.entries(PACKERS)) {
    const output = `${folder}/${program.replaceAll(/\W+/g, "-")}`;
    // `times` tells of the children of the shell: minutes and seconds of user and system time.
    const started = performance.now();
    const said = await runShell(`exec 3>&1; { ${script}; } >/dev/null; times >&3`, [tree, output]);
    const seconds = round((performance.now() - started) / 1000, 2);
    const [user, system] = said.trim().split("\n").at(-1)!.split(" ").map((text) => {
      const [, minutes, rest] = /^(\d+)m([\d.]+)s$/.exec(text)!;
      return Number(minutes) * 60 + Number(rest);
    }) as [number, number];
    const bytes = (await Deno.stat(output)).size;
    rows.push({ program, what: "pack", seconds, processorSeconds: round(user + system, 2), bytes });
    say(`${program}: ${seconds} s, ${round(user + system, 2)} s of processors, ${bytes} bytes`);
  }
  return [...rows, ...await measureMounts(folder, rounds, say)];
}

async function measureMounts(folder: string, rounds: number, say: (line: string) => void): Promise<CreateRow[]> {
  const seconds = new Map<string, number[]>();
  const mountpoint = `${folder}/mnt`;
  await Deno.mkdir(mountpoint);
  for (let number = 0; number < rounds; number++) {
    for (const [task, script] of Object.entries(TASKS)) {
      const cacheDir = `${folder}/cache-${number}-${task.length}`;
      for (const what of [`${task}, cold`, `${task}, warm`]) {
        const note = (program: string, ms: number) => {
          const key = `${program}\n${what}`;
          seconds.set(key, [...seconds.get(key) ?? [], ms / 1000]);
        };
        const mount = await BenchMount.open(`${folder}/clip-create`, mountpoint, { cacheDir });
        await dropPageCache();
        note("clip", await timeShell(script, [mountpoint]));
        await mount.close();
        for (const kind of ["gzip", "zstd"]) {
          await runShell(`squashfuse_ll "$1" "$2"`, [`${folder}/mksquashfs-comp-${kind}`, mountpoint]);
          await dropPageCache();
          note(`squashfuse_ll, ${kind}`, await timeShell(script, [mountpoint]));
          await runShell(`umount "$1"`, [mountpoint]);
        }
      }
      await Deno.remove(cacheDir, { recursive: true });
    }
  }
  return [...seconds].map(([key, all]) => {
    const [program, what] = key.split("\n") as [string, string];
    say(`${program}: ${what}: ${round(median(all), 2)} s`);
    return { program, what, seconds: round(median(all), 2) };
  });
}
