import { ClipError, messageOf, waitFor } from "../base/mod.ts";
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
  const streams: Output[] = [];
  const output = (fd: 1 | 2) => streams[fd] ??= openOutput(fd);
  return {
    out(data) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      try {
        for (let at = 0; at < bytes.length;) at += output(1).writeSync(bytes.subarray(at));
      } catch (error) {
        throw cannotWrite(error);
      }
    },
    async stream(data) {
      const write = async () => {
        for (let at = 0; at < data.length;) at += await output(1).write(data.subarray(at));
      };
      try {
        await waitFor(write(), stop.signal);
      } catch (error) {
        throw error === stop.signal.reason ? error : cannotWrite(error);
      }
    },
    isOutTerminal: Deno.stdout.isTerminal(),
    err(text) {
      try {
        const bytes = new TextEncoder().encode(text);
        for (let at = 0; at < bytes.length;) at += output(2).writeSync(bytes.subarray(at));
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

type Output = Pick<Deno.FsFile, "write" | "writeSync">;

/** Source: fcntl.h, O_NONBLOCK. */
const O_NONBLOCK = 0o4000;

/**
 * Standard output or error. One that somebody made non-blocking is opened anew: when a write fails there, since the pipe is
 * full, Deno does not tell how much of it was taken.
 */
function openOutput(fd: 1 | 2): Output {
  try {
    const [, flags = "0"] = /^flags:\s*(\d+)$/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`)) ?? [];
    const path = `/proc/self/fd/${fd}`;
    const { isFifo, isCharDevice } = Deno.statSync(path);
    // A file would be written to from its beginning.
    const canReopen = (Number.parseInt(flags, 8) & O_NONBLOCK) !== 0 && (isFifo || isCharDevice);
    if (canReopen) return Deno.openSync(path, { write: true });
  } catch {
    // Then as it is: a write that does not fit at once fails.
  }
  return fd === 1 ? Deno.stdout : Deno.stderr;
}

function cannotWrite(error: unknown): Error {
  if (error instanceof Deno.errors.BrokenPipe) return new BrokenPipeError();
  return new ClipError("io", `cannot write to standard output: ${messageOf(error)}`, { cause: error });
}

async function readInput(maxBytes: number, signal: AbortSignal): Promise<string> {
  const buffer = new Uint8Array(maxBytes + 1);
  let length = 0;
  for (;;) {
    const read = await waitFor(Deno.stdin.read(buffer.subarray(length)), signal);
    if (read === null) return new TextDecoder().decode(buffer.subarray(0, length));
    length += read;
    if (length > maxBytes) throw new ClipError("limit", `standard input has more than ${maxBytes} bytes`);
  }
}

function terminalColumns(): number {
  try {
    // A terminal that nobody has told its size has none.
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}
