/** Servers that tests start, kill, stop in the middle and start again, always on the same port. */
import assert from "node:assert/strict";

/** A server answers within this time of its start. */
const START_TIMEOUT_MS = 15_000;

/** How a server is started. */
export interface ServerCommand {
  readonly program: string;
  /** For a port of this machine that is free. */
  readonly args: (port: number) => readonly string[];
  readonly env?: Record<string, string>;
}

/** One server, in one process. */
export class ServerProcess {
  /** It listens on 127.0.0.1. */
  readonly port: number = freePort();
  #command: ServerCommand;
  #child: Deno.ChildProcess | undefined;

  /** Not started yet. */
  constructor(command: ServerCommand) {
    this.#command = command;
  }

  /** Returns once it takes connections. */
  async start(): Promise<void> {
    const { program, args, env = {} } = this.#command;
    const options: Deno.CommandOptions = { args: [...args(this.port)], env };
    this.#child = new Deno.Command(program, { ...options, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    for (const startedMs = performance.now(); !await this.#takesConnections();) {
      assert.ok(performance.now() - startedMs < START_TIMEOUT_MS, `${program} does not listen on ${this.port}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #takesConnections(): Promise<boolean> {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
      return true;
    } catch {
      return false;
    }
  }

  /** Ends it at once, as a crash would. Nothing happens where it does not run. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    try {
      child.kill("SIGKILL"); // ends a stopped one as well
    } catch {
      // It ended by itself.
    }
    await child.status;
  }

  /** It keeps its connections and answers nothing. */
  pause(): void {
    this.#child!.kill("SIGSTOP");
  }

  /** Takes back {@linkcode pause}. */
  resume(): void {
    this.#child!.kill("SIGCONT");
  }
}

/** A port of this machine on which nobody listens. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
