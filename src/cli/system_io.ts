import { ClipError } from "../base/mod.ts";
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
    async stream(data) {
      try {
        for (let at = 0; at < data.length;) at += await Deno.stdout.write(data.subarray(at));
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) throw new BrokenPipeError();
        throw error;
      }
    },
    isOutTerminal: Deno.stdout.isTerminal(),
    err(text) {
      try {
        writeAll(Deno.stderr, new TextEncoder().encode(text));
      } catch {
        // Nobody reads: there is nobody to tell.
      }
    },
    terminal: Deno.stderr.isTerminal() ? { columns: terminalColumns() } : undefined,
    env: (name) => Deno.env.get(name),
    startedMs: performance.timeOrigin,
    readInput: (maxBytes) => readInput(maxBytes, stop.signal),
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

async function readInput(maxBytes: number, signal: AbortSignal): Promise<string> {
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const onAbort = () => ended.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    const buffer = new Uint8Array(maxBytes + 1);
    let length = 0;
    for (;;) {
      signal.throwIfAborted();
      const read = await Promise.race([Deno.stdin.read(buffer.subarray(length)), ended.promise]);
      if (read === null) return new TextDecoder().decode(buffer.subarray(0, length));
      length += read;
      if (length > maxBytes) throw new ClipError("limit", `standard input has more than ${maxBytes} bytes`);
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}
