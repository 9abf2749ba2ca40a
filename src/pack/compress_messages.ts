/** What the main thread and a compress Worker say to each other. */

/** How chunks are compressed. */
export interface Compression {
  /** Name of the codec that reads them. */
  readonly codec: "zstd" | "gzip";
  /** zstd: 1 to 19. gzip: 1 to 9. */
  readonly level: number;
}

/** A chunk to be compressed: the first `lengthBytes` of a buffer, which is transferred and comes back. */
export interface CompressRequest {
  readonly id: number;
  readonly buffer: ArrayBuffer;
  readonly lengthBytes: number;
  readonly compression: Compression;
}

/** A chunk as a zstd frame or gzip member. */
export interface CompressedChunk {
  readonly id: number;
  readonly buffer: ArrayBuffer;
  readonly frame: Uint8Array<ArrayBuffer>;
  /** sha256 of the chunk, plain. */
  readonly digest: Uint8Array<ArrayBuffer>;
}
