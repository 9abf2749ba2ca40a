import { BrokenPipeError, type Io } from "./io.ts";

/** The real world: this process's streams, environment and signals. */
export function systemIo(): Io {
  const stop = new AbortController();
  // A second Ctrl-C ends the program whatever it is doing: the listeners are gone by then.
  const onSignal = () => {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
    stop.abort(new DOMException("interrupted", "AbortError"));
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  return {
    out(data) {
      try {
        writeAll(Deno.stdout, typeof data === "string" ? new TextEncoder().encode(data) : data);
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) throw new BrokenPipeError();
        throw error;
      }
    },
    err(text) {
      try {
        writeAll(Deno.stderr, new TextEncoder().encode(text));
      } catch {
        // Nobody reads: there is nobody to tell.
      }
    },
    terminal: Deno.stderr.isTerminal() ? { columns: terminalColumns() } : undefined,
    env: (name) => Deno.env.get(name),
    signal: stop.signal,
  };
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += stream.writeSync(bytes.subarray(at));
    } catch (error) {
      // A pipe that somebody made non-blocking is full.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
    }
  }
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}
