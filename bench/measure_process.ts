/** Whole processes against each other: `clip index` as a user runs it, and the least that anybody must do. */
import type { CorpusLayer } from "./corpus.ts";

/** A program and its first arguments. */
export type Command = readonly [string, ...string[]];

/** This Deno on main.ts. */
export const CLIP_FROM_SOURCE: Command = [
  Deno.execPath(),
  "run",
  "--allow-all",
  "--quiet",
  new URL("../main.ts", import.meta.url).pathname,
];

/** The executable that CLIP_BIN names, else this Deno on main.ts. */
export function clipCommand(): Command {
  const binary = Deno.env.get("CLIP_BIN");
  return binary === undefined ? CLIP_FROM_SOURCE : [binary];
}

/** How a process ran. */
export interface ProcessRun {
  /** From start to exit. */
  readonly wallMs: number;
  /** The most memory that was resident at once, as asked every 10 ms: what comes after the last time is missed. */
  readonly peakBytes: number;
}

/** Runs a command. @throws {Error} with its messages when it fails. */
export async function runProcess([program, ...args]: Command): Promise<ProcessRun> {
  const started = performance.now();
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
  const messages = new Response(child.stderr).text();
  let peakBytes = 0;
  const look = () => {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      peakBytes = Math.max(peakBytes, 1024 * Number(/^VmHWM:\s*(\d+)/m.exec(status)?.[1] ?? 0));
    } catch {
      // It has just ended.
    }
  };
  const timer = setInterval(look, 10);
  const { success } = await child.status;
  const wallMs = performance.now() - started;
  clearInterval(timer);
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${(await messages).trim().slice(-500)}`);
  await messages;
  return { wallMs, peakBytes };
}

/** Indexes an image in a process of its own, nothing known from before. */
export function indexInOwnProcess(
  reference: string,
  output: string,
  clip: Command = clipCommand(),
): Promise<ProcessRun> {
  return runProcess([...clip, "index", reference, "-o", output, "--progress", "none", "--index-cache", "none"]);
}

/** `gzip -dc | sha256sum` of the layers, one after another. */
export function gunzipAndDigest(layers: readonly Pick<CorpusLayer, "path">[]): Promise<ProcessRun> {
  const script = `for layer; do gzip -dc "$layer" | sha256sum; done`;
  return runProcess(["sh", "-c", script, "sh", ...layers.map(({ path }) => path)]);
}
