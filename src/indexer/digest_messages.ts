/** What a digest thread and its Worker say to each other. */
import type { PlainError } from "../base/mod.ts";
import type { PlainDigests, SpanLimits } from "./plain_digester.ts";
import type { RingMemory } from "./record_ring.ts";

/** Types of the ring's records. */
export const DigestRecord = {
  /** Plain bytes. */
  bytes: 0,
  /** A checkpoint: its plain offset, an f64. */
  checkpoint: 1,
  /** The stream ends. */
  end: 2,
} as const;

/** To the Worker: a stream begins; it comes through the ring. */
export interface DigestStart {
  readonly ring: RingMemory;
  readonly limits: SpanLimits;
}

/** From the Worker, once a stream has ended. */
export type FromDigestWorker =
  | { readonly type: "digests"; readonly digests: PlainDigests }
  | { readonly type: "failed"; readonly error: PlainError };
