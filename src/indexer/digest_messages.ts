/** What a digest Worker and the thread that makes the plain bytes say to each other, through a port. */
import type { Digest, PlainError } from "../base/mod.ts";
import type { PlainRing } from "./plain_ring.ts";
import type { SpanLimits } from "./stream_digester.ts";

/** To the Worker: a stream begins; it comes through the ring. */
export interface DigestStart {
  readonly ring: PlainRing;
  readonly limits: SpanLimits;
}

/** From the Worker, once a stream has ended. The records of the spans are transferred. */
export type FromDigestWorker =
  | { readonly type: "digests"; readonly diffId: Digest; readonly spanRecords: Uint8Array<ArrayBuffer> }
  | { readonly type: "failed"; readonly error: PlainError };
