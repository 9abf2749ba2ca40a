import { constants } from "node:os";
import { ClipError, messageOf } from "../base/mod.ts";

/** Passed on to the program. Those that ask for its end are followed by a deadline. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
const FORWARDED = [...ENDING, "SIGUSR1", "SIGUSR2"] as const;

/** How to run a program in the place of this one. */
export interface ForegroundOptions {
  /** Whether it talks to this one's terminal by itself: then Ctrl-C is not seen here. */
  readonly terminal: boolean;
  /** How long it may take to end once it is asked to. */
  readonly stopTimeoutMs: number;
  /** Ends it whatever it does. */
  readonly kill: () => Promise<void>;
}

/**
 * Runs a program with this one's streams, and returns its exit status; 128 and the signal's number where a signal
 * ended it. Signals are passed on; after the second that asks for the end, or when the time for it is up, `kill` is
 * called.
 * @throws {ClipError} when it cannot be started.
 */
export async function runForeground(command: readonly string[], options: ForegroundOptions): Promise<number> {
  const [program, ...args] = command;
  // In a session of its own it gets no Ctrl-C from the terminal, and hence each once: from here.
  const streams = { stdin: "inherit", stdout: "inherit", stderr: "inherit" } as const;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program!, { args, ...streams, detached: !options.terminal }).spawn();
  } catch (error) {
    throw new ClipError("io", `cannot start ${program}: ${messageOf(error)}`, { cause: error });
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pass = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has just ended.
    }
    if (!(ENDING as readonly string[]).includes(signal)) return;
    if (timer !== undefined) return void options.kill();
    timer = setTimeout(options.kill, options.stopTimeoutMs);
  };
  const listeners = FORWARDED.map((signal) => ({ signal, listener: () => pass(signal) }));
  for (const { signal, listener } of listeners) Deno.addSignalListener(signal, listener);
  try {
    const { code, signal } = await child.status;
    return signal === null ? code : 128 + constants.signals[signal as keyof typeof constants.signals];
  } finally {
    clearTimeout(timer);
    for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
  }
}
