import {
  type DeferredRead,
  DeferredReplies,
  type FuseMount,
  mountFuse,
  type MountOptions,
  type Negotiated,
  unmountFuse,
} from "../../src/fuse/mod.ts";
import type { NodeSpec } from "./memory_file_system.ts";
import type { ServeOrder, ServeReport } from "./serve_worker.ts";

/** A tree mounted and served by a Worker. */
export class Mounted implements AsyncDisposable {
  readonly mount: FuseMount;
  readonly path: string;
  readonly replies: DeferredReplies;
  /** What INIT settled; set once the first request was served. */
  negotiated: Negotiated | undefined;
  /** What is done with deferred reads; until set, they wait in `waiting`. */
  onDeferred: (read: DeferredRead) => void = (read) => void this.waiting.push(read);
  onInterrupt: (uniqueLow: number, uniqueHigh: number) => void = () => {};
  readonly waiting: DeferredRead[] = [];
  /** Why the loop ended, and after how many requests. */
  readonly ended: Promise<{ reason: string; handled: number }>;
  readonly #stop: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4));

  constructor(mount: FuseMount, root: NodeSpec, resend = false) {
    this.mount = mount;
    this.path = mount.mountpoint;
    this.replies = new DeferredReplies(mount.fd);
    const worker = new Worker(new URL("./serve_worker.ts", import.meta.url), { type: "module" });
    this.ended = new Promise((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<ServeReport>) => {
        if (data.kind === "init") this.negotiated = data.negotiated;
        else if (data.kind === "deferred") this.onDeferred(data.read);
        else if (data.kind === "interrupt") this.onInterrupt(data.uniqueLow, data.uniqueHigh);
        else resolve(data);
      };
    });
    worker.postMessage({ fd: mount.fd, root, resend, stop: this.#stop } satisfies ServeOrder);
  }

  /** Ends the loop but not the mount: a request makes it look. It may also look, and end, before that is read. */
  async stop(): Promise<void> {
    Atomics.store(this.#stop, 0, 1);
    Deno.lstat(`${this.path}/.stop-${crypto.randomUUID()}`).catch(() => {});
    await this.ended;
  }

  /** Unmounts, forcibly where a test left something open, and removes the mountpoint. */
  async [Symbol.asyncDispose](): Promise<void> {
    await unmountFuse(this.path, { force: true }).catch(() => {});
    await this.ended;
    this.mount.close();
    await Deno.remove(this.path);
  }
}

/** Mounts `root` on a new directory. */
export async function mountTree(root: NodeSpec, options: MountOptions = {}): Promise<Mounted> {
  const path = await Deno.makeTempDir({ prefix: "clip-fuse-" });
  return new Mounted(await mountFuse(path, options), root);
}

/** Why real mounts cannot be tried here; undefined where they can. */
export function whyNoMounts(): string | undefined {
  try {
    Deno.openSync("/dev/fuse", { read: true, write: true }).close();
  } catch (error) {
    return `/dev/fuse cannot be opened: ${(error as Error).message}`;
  }
  return Deno.uid() === 0 ? undefined : "only root mounts without a helper";
}

/** Runs a program without blocking the event loop; standard output and error as text. */
export async function run(
  program: string,
  ...args: string[]
): Promise<{ status: number; out: string; error: string }> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  return { status: code, out: new TextDecoder().decode(stdout), error: new TextDecoder().decode(stderr) };
}
