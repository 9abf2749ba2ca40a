import { ClipError, type ErrorCode } from "./errors.ts";

/** An error as data, for the way between threads. */
export interface PlainError {
  /** As ClipError's. */
  readonly code: ErrorCode;
  /** As Error's. */
  readonly message: string;
  /** Of the thread it was thrown in. */
  readonly stack: string | undefined;
}

/** An error made ready to travel. */
export function toPlainError(error: unknown): PlainError {
  if (error instanceof ClipError) return { code: error.code, message: error.message, stack: error.stack };
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  return { code: "internal", message: `internal error: ${message}`, stack };
}

/** The error again, its stack that of the thread it was thrown in. */
export function fromPlainError(plain: PlainError): ClipError {
  const error = new ClipError(plain.code, plain.message);
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
}
