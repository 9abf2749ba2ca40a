import type { Logger } from "../base/mod.ts";

/** Exit statuses. 130 and 141 are what shells show for programs ended by SIGINT and SIGPIPE. */
export const ExitStatus = { done: 0, failed: 1, usage: 2, interrupted: 130, brokenPipe: 141 } as const;

/** The world outside as a command sees it, so that tests can be that world. */
export interface Io {
  /** Writes a result. @throws {BrokenPipeError} when nobody reads any more; {ClipError} `io`, such as of a full disk. */
  out(data: string | Uint8Array): void;
  /**
   * Writes a part of a long result while other work goes on; `data` is not to change before it resolves. A reader who does
   * not read does not keep Ctrl-C from ending it. @throws {BrokenPipeError}; {ClipError} `io`; the signal's reason.
   */
  stream(data: Uint8Array): Promise<void>;
  /** Whether results go to a terminal. */
  readonly isOutTerminal: boolean;
  /** Writes for people: progress, errors. Never throws. */
  err(text: string): void;
  /** Whether standard error is a terminal, and how wide. */
  readonly terminal: { readonly columns: number } | undefined;
  /** An environment variable. */
  env(name: string): string | undefined;
  /** All of standard input. @throws {ClipError} `limit` where it has more than `maxBytes`; the signal's reason. */
  readonly readInput: (maxBytes: number) => Promise<string>;
  /** When the process began, in milliseconds since 1970; undefined where it is not for this command alone. */
  readonly startedMs?: number;
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
}

/** What a command is given besides its own options. */
export interface CommandContext {
  readonly io: Io;
  readonly log: Logger;
  /** Takes a line for the log that is formatted already, newline included. */
  readonly writeLog: (line: string) => void;
  /** The options that made the log what it is. */
  readonly logging: LogOptions;
  /** Has something done after the command, however it ends; what was given last is done first. */
  readonly atEnd: (work: () => void) => void;
}

/** The options that every command has. */
export interface LogOptions {
  readonly logLevel: "error" | "warn" | "info" | "debug";
  readonly logJson: boolean;
  readonly logFile: string | undefined;
}

/** Standard output has been closed by its reader: end quietly, as programs killed by SIGPIPE do. */
export class BrokenPipeError extends Error {}
