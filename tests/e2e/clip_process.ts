/** Runs clip as users do: as a process of its own. */
import { type ProgramOptions, type ProgramResult, runProgram } from "./programs.ts";

/** The command line of clip: the binary that CLIP_BINARY names, or deno with the main module of this tree. */
export const CLIP_COMMAND: readonly string[] = clipCommand();

function clipCommand(): string[] {
  const binary = Deno.env.get("CLIP_BINARY");
  if (binary !== undefined && binary !== "") return [binary];
  return [Deno.execPath(), "run", "-A", "--quiet", new URL("../../main.ts", import.meta.url).pathname];
}

/** For a clip with another HOME: where deno, if it runs clip, has its packages. */
export const DENO_DIR: string = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;

/** Runs `clip` with `args` to its end. */
export function clip(args: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  return runProgram([...CLIP_COMMAND, ...args], options);
}

/** A clip that is running. */
export interface RunningClip {
  readonly pid: number;
  /** Resolves with the first line on standard output; rejects, with what it said on standard error, at its end. */
  readonly firstLine: Promise<string>;
  /** Resolves at its end. */
  readonly ended: Promise<{ code: number; signal: Deno.Signal | null; stdout: string; stderr: string }>;
  /** All of standard error so far. */
  stderrSoFar(): string;
  /** Sends a signal; nothing happens where it has ended. */
  kill(signal: Deno.Signal): void;
}

/** Starts `clip` with `args`. The caller waits for `ended`. */
export function spawnClip(args: readonly string[], options: ProgramOptions = {}): RunningClip {
  const [program, ...selfArgs] = CLIP_COMMAND;
  const child = new Deno.Command(program!, {
    args: [...selfArgs, ...args],
    ...options,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const firstLine = Promise.withResolvers<string>();
  let stderrSoFar = "";
  const out = readText(child.stdout, (text) => {
    const newline = text.indexOf("\n");
    if (newline >= 0) firstLine.resolve(text.slice(0, newline));
  });
  const err = readText(child.stderr, (text) => stderrSoFar = text);
  const ended = Promise.all([child.status, out, err]).then(([{ code, signal }, stdout, stderr]) => {
    firstLine.reject(new Error(`clip ${args[0]} ended with status ${code}: ${stderr}`));
    return { code, signal, stdout, stderr };
  });
  firstLine.promise.catch(() => {});
  return {
    pid: child.pid,
    firstLine: firstLine.promise,
    ended,
    stderrSoFar: () => stderrSoFar,
    kill(signal) {
      try {
        child.kill(signal);
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
      }
    },
  };
}

async function readText(stream: ReadableStream<Uint8Array>, onText: (soFar: string) => void): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    onText(text);
  }
  return text;
}
