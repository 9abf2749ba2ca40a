/** A mount of the large image that a supervisor looks after. */
import assert from "node:assert/strict";
import { LARGE_FILE, LARGE_IMAGE_NEEDS, largeImage } from "./large_image.ts";
import { isRunning, type Need, until, type Workbench } from "./workbench.ts";

/** What such tests need. */
export const SUPERVISED_NEEDS: readonly Need[] = ["/dev/fuse", "root", ...LARGE_IMAGE_NEEDS];

let archive: Promise<string> | undefined;

/** The archive of the large image, indexed once for all tests of this process. */
export function largeArchive(bench: Workbench): Promise<string> {
  return archive ??= (async () => {
    const folder = await Deno.makeTempDir({ prefix: "clip-e2e-archive-" });
    globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    await bench.mustClip(["index", await largeImage(), "-o", `${folder}/large.clip`]);
    return `${folder}/large.clip`;
  })();
}

/** The mount, its supervisor and the files of that. */
export class SupervisedMount {
  private constructor(
    readonly bench: Workbench,
    readonly directory: string,
    /** The process of the supervisor. */
    readonly supervisor: number,
    /** The folder of its files. */
    readonly folder: string,
    readonly log: () => string,
  ) {}

  /** Indexes and mounts. @param args Further options of `clip mount`. */
  static async make(bench: Workbench, args: readonly string[] = []): Promise<SupervisedMount> {
    await Deno.copyFile(await largeArchive(bench), bench.path("large.clip"));
    const { directory, pid, log } = await bench.mount(bench.path("large.clip"), "mnt", args);
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    const names = [...Deno.readDirSync(bench.runtimeDir)].map(({ name }) => name);
    const folder = `${bench.runtimeDir}/${names.find((name) => name.startsWith("supervisor-"))}`;
    return new SupervisedMount(bench, directory, Number(/^PPid:\s+(\d+)/m.exec(status)![1]), folder, log);
  }

  /** The large file in it. */
  get file(): string {
    return `${this.directory}/${LARGE_FILE.path}`;
  }

  /** The process that serves, or stands by, now; 0 where there was none yet. */
  process(which: "server" | "standby" = "server"): number {
    const names = [...Deno.readDirSync(this.folder)].map(({ name }) => name);
    const having = (state: string) =>
      names.filter((name) => name.startsWith(`${state}.`)).map((name) => Number(name.split(".")[1]));
    const servers = having("server").filter(isRunning);
    if (which === "server") return servers[0] ?? 0;
    return having("standby").find((pid) => isRunning(pid) && !servers.includes(pid)) ?? 0;
  }

  /** Waits for another process than `pid` to serve, or to stand by. */
  async next(pid: number, which: "server" | "standby" = "server"): Promise<number> {
    const isNext = () => this.process(which) !== pid && isRunning(this.process(which));
    assert.ok(await until(isNext, 20_000), `no other ${which} came: ${this.log()}`);
    return this.process(which);
  }

  /** Has a server of this program take over. */
  async replaceBy(program: string): Promise<void> {
    await Deno.remove(`${this.folder}/refused`).catch(() => {});
    await Deno.writeTextFile(`${this.folder}/program`, `${program}\n`);
    Deno.kill(this.supervisor, "SIGHUP");
  }

  /** Waits until a program that was to take over is given up. */
  async refused(): Promise<void> {
    const isRefused = () => [...Deno.readDirSync(this.folder)].some(({ name }) => name === "refused");
    assert.ok(await until(isRefused, 20_000), `it was not refused: ${this.log()}`);
  }

  /** Unmounts; nothing may be left. */
  async unmount(): Promise<void> {
    await this.bench.mustClip(["unmount", this.directory]);
    await this.assertGone();
  }

  /** Waits until neither mount nor process nor file of the supervisor is left. */
  async assertGone(): Promise<void> {
    const isGone = () => this.bench.mounts().length === 0 && this.bench.processes().length === 0;
    assert.ok(await until(isGone, 5000), `left: ${this.bench.mounts()} ${this.bench.processes()}`);
    await assert.rejects(Deno.stat(this.folder), Deno.errors.NotFound);
  }
}
