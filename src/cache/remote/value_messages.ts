/** What {@linkcode ValueCoder} asks of its Worker, and the answers. */

/** Turn a stored value into the bytes that have that sha256. `value` is transferred. */
export interface DecodeRequest {
  readonly type: "decode";
  readonly id: number;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly sha256: Uint8Array;
  readonly plainBytes: number;
  /** Whether the value is wanted back as well. */
  readonly keepsValue: boolean;
}

/** Compress bytes, if that is worth it. */
export interface EncodeRequest {
  readonly type: "encode";
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** Bytes that were decoded. */
export interface DecodedValue {
  /** Verified. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The value they came from, where it was wanted; never the same memory. */
  readonly value: Uint8Array<ArrayBuffer> | undefined;
}

/** An answer; undefined: the value is not what it should be, or compressing gains nothing. */
export type ValueAnswer =
  | { readonly type: "decoded"; readonly id: number; readonly decoded: DecodedValue | undefined }
  | { readonly type: "encoded"; readonly id: number; readonly gzip: Uint8Array<ArrayBuffer> | undefined };
