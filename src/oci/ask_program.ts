import { ClipError } from "../base/mod.ts";

/** How a program is asked. */
export interface ProgramQuestion {
  /** Its name or path, and its arguments. */
  readonly command: readonly string[];
  /** What it reads from standard input. */
  readonly input: string;
  /** Ends it, and all that it has started. */
  readonly timeoutMs: number;
  /** The most that it may write. */
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
}

/** What a program said. Its output may be a secret. */
export interface ProgramAnswer {
  readonly status: number;
  readonly output: string;
}

/** Variables that hold clip's own secrets begin so: programs are not given them. */
const OWN_VARIABLES = /^CLIP_(?:REGISTRY|REMOTE|GIVEN)_/;

/**
 * What a program writes to standard output. Standard error is thrown away: nobody knows what is in it. The program is
 * in a session of its own, so that nothing of it is left, and it has no terminal to ask at.
 * @throws {ClipError} `not_found` where there is no such program, `limit` for too much output, `io` (retryable) where it
 * takes too long or ends by a signal; no message has anything that the program has said. @throws the reason of the signal.
 */
export async function askProgram(question: ProgramQuestion): Promise<ProgramAnswer> {
  const { command, input, timeoutMs, maxOutputBytes, signal } = question;
  const [program, ...args] = command;
  signal.throwIfAborted();
  const child = start(program!, args);
  const reader = child.stdout.getReader();
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const onAbort = () => ended.reject(signal.reason);
  const timer = setTimeout(
    () => ended.reject(new ClipError("io", `it took more than ${timeoutMs / 1000} s`, { retryable: true })),
    timeoutMs,
  );
  signal.addEventListener("abort", onAbort);
  let hasEnded = false;
  try {
    const output = Promise.all([readText(reader, maxOutputBytes), write(child.stdin, input)]);
    output.catch(() => {});
    const [text] = await Promise.race([output, ended.promise]);
    const { code, signal: killedBy } = await Promise.race([child.status, ended.promise]);
    hasEnded = true;
    if (killedBy !== null) throw new ClipError("io", `it was ended by ${killedBy}`, { retryable: true });
    return { status: code, output: text };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    if (!hasEnded) killAll(child);
    await reader.cancel().catch(() => {});
    await child.status;
  }
}

function start(program: string, args: string[]): Deno.ChildProcess {
  const env = Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !OWN_VARIABLES.test(name)));
  try {
    return new Deno.Command(program, {
      args,
      env,
      clearEnv: true,
      detached: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    throw new ClipError(isMissing ? "not_found" : "io", isMissing ? "it is not installed" : "it cannot be started");
  }
}

/** A program that does not read is none to complain of. */
async function write(stdin: WritableStream<Uint8Array>, input: string): Promise<void> {
  const writer = stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
}

async function readText(reader: ReadableStreamDefaultReader<Uint8Array>, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    sizeBytes += value.length;
    if (sizeBytes > maxBytes) throw new ClipError("limit", `it says more than ${maxBytes} bytes`);
    text += decoder.decode(value, { stream: true });
  }
}

/** Ends the program and what it has started. */
function killAll(child: Deno.ChildProcess): void {
  for (const pid of [-child.pid, child.pid]) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // There is nothing left.
    }
  }
}
