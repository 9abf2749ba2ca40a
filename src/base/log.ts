import { escapeControls } from "./describe_value.ts";

/** Log levels, most serious first. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Values attached to a log line; none may hold a secret. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where log lines go. */
export interface Logger {
  /** The level below which lines are dropped; cheap to ask before a costly line is made. */
  readonly level: LogLevel;
  /** What failed, and for whom. */
  error(message: string, fields?: LogFields): void;
  /** What is odd, and goes on. */
  warn(message: string, fields?: LogFields): void;
  /** What a person who watches wants to know. */
  info(message: string, fields?: LogFields): void;
  /** What helps to find a fault. */
  debug(message: string, fields?: LogFields): void;
}

/**
 * A logger that formats lines and hands each, ending in a newline, to `write`.
 * Text: `clip: warn: message key=value`. JSON: `{"time":"…","level":"warn","message":"…","key":"value"}`.
 * Whatever a message holds, its line is one line, and has no control characters that could drive a terminal.
 */
export function createLogger(
  { level, json = false, write }: { level: LogLevel; json?: boolean; write: (line: string) => void },
): Logger {
  const rank = LOG_LEVELS.indexOf(level);
  const at = (lineLevel: LogLevel) => (message: string, fields: LogFields = {}) => {
    if (LOG_LEVELS.indexOf(lineLevel) > rank) return;
    if (json) {
      const own = { time: new Date().toISOString(), level: lineLevel, message };
      return write(`${escapeControls(JSON.stringify({ ...own, ...fields, ...own }))}\n`);
    }
    let line = `clip: ${lineLevel}: ${escapeControls(message)}`;
    for (const [key, value] of Object.entries(fields)) if (value !== undefined) line += ` ${key}=${quote(value)}`;
    write(`${line}\n`);
  };
  return { level, error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}

function quote(value: string | number | boolean): string {
  const text = String(value);
  return /^[^\s"=\\]+$/.test(text) ? escapeControls(text) : escapeControls(JSON.stringify(text));
}

/** A logger that drops everything. */
export const SILENT: Logger = createLogger({ level: "error", write: () => {} });
