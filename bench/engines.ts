/** Everybody who can inflate a layer, to be timed: in this process on one thread, and as a program of its own. */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { Inflate } from "pako";
import { InflateKernel, KernelStop } from "../src/codec/gzip/kernel/mod.ts";
import { isInstalled } from "./run_shell.ts";
import { Skipped } from "./skipped.ts";

/** A layer of one gzip member, without a name in its header. */
export interface EngineInput {
  readonly path: string;
  readonly compressed: Uint8Array;
  readonly plainBytes: number;
}

/** Inflates a layer, the output thrown away. @throws {Error} when it does not have the right length, or cannot. */
export type Engine = (input: EngineInput) => void | Promise<void>;

const PIECE_BYTES = 1 << 20;
/** Without a name, a gzip header is 10 bytes and the trailer 8. Source: RFC 1952, section 2.3. */
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;

/** By name. Programs write to /dev/null and are timed from start to exit, as a user would have them. */
export const ENGINES: Readonly<Record<string, Engine>> = {
  "kernel": inflateByKernel,
  "node:zlib createGunzip": inflateByNode,
  "pako": inflateByPako,
  "gzip": byProgram("gzip", "-dc"),
  "libdeflate-gunzip": byProgram("libdeflate-gunzip", "-c"),
  "igzip": byProgram("igzip", "-dc"),
  "pigz": byProgram("pigz", "-dc"),
};

/** The engines that this machine has; `onSkip` is told of the others. */
export async function installedEngines(onSkip: (line: string) => void): Promise<[string, Engine][]> {
  const inProcess = ["kernel", "node:zlib createGunzip", "pako"];
  const found: [string, Engine][] = [];
  for (const [name, engine] of Object.entries(ENGINES)) {
    if (inProcess.includes(name) || await isInstalled(name)) found.push([name, engine]);
    else onSkip(`skipped: ${name} is not installed`);
  }
  return found;
}

/** A layer as engines take it. @throws {Skipped} where it has a name in its header. */
export function engineInput(path: string): EngineInput {
  const compressed = Deno.readFileSync(path);
  if (compressed[3] !== 0) throw new Skipped(`${path} has header fields`);
  const plainBytes = new DataView(compressed.buffer).getUint32(compressed.length - 4, true);
  return { path, compressed, plainBytes };
}

function inflateByKernel({ compressed, plainBytes }: EngineInput): void {
  const deflate = compressed.subarray(HEADER_BYTES, compressed.length - TRAILER_BYTES);
  const kernel = new InflateKernel();
  kernel.reset({ window: new Uint8Array(0), bitOffset: 0, plainOffset: 0 });
  for (let at = 0;;) {
    const stop = kernel.run(Infinity, false);
    if (stop === KernelStop.needInput) at += kernel.feed(deflate, at, deflate.length);
    else if (stop === KernelStop.outputFull) kernel.slide();
    else return checkLength(stop === KernelStop.streamEnd ? kernel.plainOffset : -1, plainBytes);
  }
}

async function inflateByNode({ path, plainBytes }: EngineInput): Promise<void> {
  let bytes = 0;
  const plain = createReadStream(path, { highWaterMark: PIECE_BYTES }).pipe(createGunzip({ chunkSize: PIECE_BYTES }));
  for await (const piece of plain) bytes += piece.length;
  checkLength(bytes, plainBytes);
}

function inflateByPako({ compressed, plainBytes }: EngineInput): void {
  let bytes = 0;
  const inflate = new Inflate({ chunkSize: PIECE_BYTES });
  inflate.onData = (piece: Uint8Array) => {
    bytes += piece.length;
  };
  inflate.push(compressed, true);
  checkLength(inflate.err === 0 ? bytes : -1, plainBytes);
}

function byProgram(program: string, flags: string): Engine {
  return async ({ path }) => {
    const { success } = await new Deno.Command(program, { args: [flags, path], stdout: "null", stderr: "null" })
      .output();
    if (!success) throw new Error(`${program} ${flags} failed`);
  };
}

function checkLength(actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`inflated ${actual} bytes instead of ${expected}`);
}
