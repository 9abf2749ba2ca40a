/** What the indexing thread and a layer Worker say to each other. */
import type { PlainError } from "../base/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import type { LayerIndexKey } from "./layer_index.ts";
import type { ScanBounds } from "./layer_scan.ts";

/**
 * To the Worker: at first, where there is one, the port of a digest thread (transferred); then a layer begins, its
 * compressed bytes (transferred), its end.
 */
export type ToLayerWorker =
  | { readonly type: "digester"; readonly port: MessagePort }
  | {
    readonly type: "start";
    readonly mediaType: string;
    readonly key: LayerIndexKey;
    readonly inflate: InflateName;
    readonly bounds: ScanBounds;
    readonly starts: readonly number[];
  }
  | { readonly type: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: "end" };

/**
 * From the Worker: one `taken` for each `bytes`, then `done`; or `failed` at any time, after which a layer may start.
 * The result travels as the body of a layer index, whose buffer is transferred: a clone of a million entries would take
 * the threads longer, and it is what is kept of the layer anyway.
 */
export type FromLayerWorker =
  | { readonly type: "taken"; readonly plainBytes: number }
  | { readonly type: "done"; readonly body: Uint8Array<ArrayBuffer> }
  | { readonly type: "failed"; readonly error: PlainError };
