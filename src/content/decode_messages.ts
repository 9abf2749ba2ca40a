/** What the main thread and a decode Worker say to each other. */
import type { PlainError } from "../base/mod.ts";
import type { DecodeStart, InflateName } from "../codec/mod.ts";

/** The cache file of a layer. */
export interface DataFile {
  /** Opens it, in this process and as long as the layer is open: which file it is, is to be looked at afterwards. */
  readonly path: string;
  /** Number of the device that it is on. */
  readonly device: number;
  /** Its number there. */
  readonly inode: number;
  /** How long it is. One that is shorter has been cut: to write to it would bring back as zeros what it lost. */
  readonly sizeBytes: number;
}

/** Bytes [start, endExclusive) of a span. */
export interface SpanPart {
  readonly start: number;
  readonly endExclusive: number;
}

/** A run to be decoded. Spans are counted from 0 in the run. */
export interface DecodeJob {
  /** Of the layer. */
  readonly codec: string;
  readonly inflate: InflateName | undefined;
  /** The checkpoint, window included. */
  readonly from: DecodeStart;
  /** Plain bytes from the checkpoint to the end of the last span. */
  readonly plainBytes: number;
  /** Where the spans begin in the layer's plain stream, ascending; one entry more than spans: the end of the last. */
  readonly offsets: Float64Array<ArrayBuffer>;
  /** The sha256 of each span, 32 bytes each. */
  readonly digests: Uint8Array<ArrayBuffer>;
  /** By span, what somebody waits for: it is given before the span is written. */
  readonly wanted: readonly (SpanPart | undefined)[];
  /** Where verified spans are written; where there is no file, their bytes are given instead. */
  readonly file: DataFile | undefined;
  /** For messages: where the compressed bytes come from. */
  readonly source: string;
  /** For messages. */
  readonly layer: number;
  /** For messages: number in the layer of the first span. */
  readonly firstSpan: number;
}

/** To the thread that decodes. Jobs may be interleaved; a message about a job that is over means nothing. */
export type ToDecoder =
  | { readonly type: "start"; readonly id: number; readonly job: DecodeJob }
  /** The next compressed bytes, in pieces as they came, transferred. Answered by `taken` in any case. */
  | { readonly type: "bytes"; readonly id: number; readonly pieces: readonly Uint8Array<ArrayBuffer>[] }
  /** No more bytes come. */
  | { readonly type: "end"; readonly id: number }
  /** Nobody wants to know any more. */
  | { readonly type: "cancel"; readonly id: number };

/** From the thread that decodes, in lists. */
export type FromDecoder =
  /** It can be sent jobs. */
  | { readonly type: "ready" }
  /** So many compressed bytes have been dealt with. */
  | { readonly type: "taken"; readonly compressedBytes: number }
  /** The wanted part of a verified span, which begins `offset` bytes into it; what became of the span follows. */
  | {
    readonly type: "early";
    readonly id: number;
    readonly index: number;
    readonly offset: number;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }
  /** Verified spans, [firstIndex, endIndex), are in the file. */
  | { readonly type: "written"; readonly id: number; readonly firstIndex: number; readonly endIndex: number }
  /** A verified span that is not: there is none, or because of `problem`. */
  | {
    readonly type: "span";
    readonly id: number;
    readonly index: number;
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly problem: string | undefined;
  }
  /** All spans have been given. */
  | { readonly type: "done"; readonly id: number }
  /** The rest of the spans cannot be had from these bytes. */
  | { readonly type: "failed"; readonly id: number; readonly error: PlainError };
