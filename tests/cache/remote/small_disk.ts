import { mustRun } from "../../e2e/programs.ts";
import type { Workbench } from "../../e2e/workbench.ts";

/** A file system that can be full. Needs root. */
export interface SmallDisk {
  /** Where it is mounted. */
  readonly path: string;
  /** Takes all the room there is. */
  fill(): Promise<void>;
  /** Gives it back. */
  makeRoom(): Promise<void>;
}

/** Has room for 16 MiB, and is gone after the test. */
export async function smallDisk(bench: Workbench): Promise<SmallDisk> {
  // Not in the bench's folder: what is mounted there is taken for clip's, and waited for.
  const path = await Deno.makeTempDir({ prefix: "clip-small-disk-" });
  await mustRun(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", path]);
  bench.defer(async () => {
    await mustRun(["umount", "-l", path]);
    await Deno.remove(path);
  });
  return {
    path,
    fill: async () => void await mustRun(["sh", "-c", `head -c 64M /dev/zero > '${path}/.full' 2>/dev/null || true`]),
    makeRoom: () => Deno.remove(`${path}/.full`),
  };
}
