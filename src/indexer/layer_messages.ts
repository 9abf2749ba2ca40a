/** What the indexing thread and a layer Worker say to each other. */
import { ClipError, type ErrorCode } from "../base/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import type { LayerIndexKey } from "./layer_index.ts";

/** To the Worker: a layer begins, its compressed bytes (transferred), its end. */
export type ToLayerWorker =
  | {
    readonly type: "start";
    readonly mediaType: string;
    readonly key: LayerIndexKey;
    readonly inflate: InflateName;
    readonly digestApart: boolean;
  }
  | { readonly type: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: "end" };

/**
 * From the Worker: one `taken` for each `bytes`, then `done`; or `failed` at any time, after which a layer may start.
 * The result travels as a layer index, whose buffer is transferred: a clone of a million entries would take the threads
 * longer, and it is what is kept of the layer anyway.
 */
export type FromLayerWorker =
  | { readonly type: "taken"; readonly plainBytes: number }
  | { readonly type: "done"; readonly index: Uint8Array<ArrayBuffer> }
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
