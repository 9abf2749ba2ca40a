/** What the indexing thread and a layer Worker say to each other. */
import { ClipError, type ErrorCode } from "../base/mod.ts";
import type { LayerScan, ScanLayerOptions } from "./layer_scan.ts";

/** To the Worker: a layer begins, its compressed bytes (transferred), its end. */
export type ToLayerWorker =
  | { readonly type: "start"; readonly mediaType: string; readonly options: ScanLayerOptions }
  | { readonly type: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: "end" };

/** From the Worker: one `taken` for each `bytes`, then `done`; or `failed` at any time, after which a layer may start. */
export type FromLayerWorker =
  | { readonly type: "taken"; readonly plainBytes: number }
  | { readonly type: "done"; readonly scan: LayerScan }
  | { readonly type: "failed"; readonly error: PlainError };

/** An error as data. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
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
