import { ClipError } from "./errors.ts";

/** Throws a ClipError of code `internal` when `condition` is false: for what only a bug in clip can break. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ClipError("internal", `internal error: ${message}`);
}
