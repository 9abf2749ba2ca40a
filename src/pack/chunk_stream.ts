import { createHash } from "node:crypto";
import { type ByteString, type Digest, sha256Bytes, toByteString } from "../base/mod.ts";
import { type ArchiveContents, SpanListWriter, type StoredCheckpoint } from "../archive/mod.ts";
import { CheckpointKind } from "../codec/mod.ts";
import { CompressPool } from "./compress_pool.ts";
import type { CompressedChunk, Compression } from "./compress_messages.ts";

/**
 * Plain bytes in a chunk, at most. A read decodes one chunk: half a megabyte takes a millisecond. Of /usr, twice as much
 * is 1.6 % smaller, half as much 2 % larger.
 */
export const CHUNK_BYTES: number = 512 * 1024;
/** Chunks on their way, for each thread that compresses: one under its hands, the next, and one being written. */
const CHUNKS_PER_WORKER = 3;

/** Where bytes have come to lie. */
export interface ChunkPlace {
  readonly chunk: Chunk;
  /** Of the first byte, in the chunk. */
  readonly offset: number;
}

/** Plain bytes that are compressed and verified together. */
export interface Chunk {
  /** Where it begins in the layer; known once the chunk is complete. */
  plainOffset: number;
}

/** A chunk that is being filled. */
interface OpenChunk {
  readonly chunk: Chunk;
  readonly bytes: Uint8Array<ArrayBuffer>;
  filled: number;
}

/**
 * Cuts what it is given into chunks and has them compressed, and writes the frames in order. What it has seen before is
 * not taken again: contents are known by their sha256.
 *
 * Short pieces share a chunk and none lies across two, so that reading one decodes one chunk; chunks of long pieces hold
 * nothing else, so that equal stretches of different files are found. Which chunk comes when depends on the order of the
 * pieces alone, not on the threads. At most three chunks a thread are in memory.
 */
export class ChunkStream {
  #pool: CompressPool;
  #compression: Compression;
  #write: (frame: Uint8Array) => Promise<void>;
  #known = new Map<ByteString, ChunkPlace>();
  #open: OpenChunk | undefined;
  /** Buffers that no chunk has, and those who wait for one. */
  #free: ArrayBuffer[] = [];
  #waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #made = 0;
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #plainHash = createHash("sha256");
  #blobHash = createHash("sha256");
  #plainBytes = 0;
  #blobBytes = 0;
  #checkpoints: StoredCheckpoint[] = [];
  #spans = new SpanListWriter();
  #written: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  /** Starts the threads. `write` is given the frames one after another. */
  constructor(compression: Compression, write: (frame: Uint8Array) => Promise<void>) {
    this.#compression = compression;
    this.#pool = new CompressPool(compression);
    this.#write = write;
  }

  /** Plain bytes of complete chunks. */
  get plainBytes(): number {
    return this.#plainBytes;
  }

  /** Bytes written. */
  get blobBytes(): number {
    return this.#blobBytes;
  }

  /**
   * Takes a piece of at most CHUNK_BYTES that shares its chunk with others. `fill` reads it: it is given an array of
   * just that length. @throws what `fill` throws, what `write` has thrown.
   */
  async addShort(lengthBytes: number, fill: (bytes: Uint8Array<ArrayBuffer>) => void): Promise<ChunkPlace> {
    if (this.#open !== undefined && this.#open.filled + lengthBytes > CHUNK_BYTES) this.#complete();
    const open = this.#open ??= {
      chunk: { plainOffset: -1 },
      bytes: await this.#buffer(),
      filled: 0,
    };
    const bytes = open.bytes.subarray(open.filled, open.filled + lengthBytes);
    fill(bytes);
    const key = contentKey(bytes);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const place = { chunk: open.chunk, offset: open.filled };
    this.#known.set(key, place);
    open.filled += lengthBytes;
    return place;
  }

  /** As `addShort`, of a part of something longer: it gets a chunk of its own. */
  async addLong(lengthBytes: number, fill: (bytes: Uint8Array<ArrayBuffer>) => void): Promise<ChunkPlace> {
    const whole = this.#spare ?? await this.#buffer();
    this.#spare = whole;
    const bytes = whole.subarray(0, lengthBytes);
    fill(bytes);
    const key = contentKey(bytes);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#spare = undefined;
    const place = { chunk: { plainOffset: -1 }, offset: 0 };
    this.#known.set(key, place);
    this.#emit(place.chunk, whole, lengthBytes);
    return place;
  }

  /** Completes the last chunk and waits until all is written; the layer. */
  async finish(): Promise<ArchiveContents["layers"][number]> {
    if (this.#open !== undefined) this.#complete();
    await this.#written;
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#addCheckpoint(CheckpointKind.final, this.#plainBytes);
    if (this.#checkpoints.length === 1) this.#checkpoints.unshift({ ...this.#checkpoints[0]!, ...START });
    return {
      info: {
        digest: `sha256:${this.#blobHash.digest("hex")}` as Digest,
        diffId: `sha256:${this.#plainHash.digest("hex")}` as Digest,
        mediaType: `application/vnd.clip.data.v1+${this.#compression.codec}`,
        codec: this.#compression.codec,
        compressedBytes: this.#blobBytes,
        plainBytes: this.#plainBytes,
      },
      checkpoints: this.#checkpoints,
      spans: this.#spans.finish(),
    };
  }

  /** Ends the threads. */
  close(): void {
    this.#pool.close();
  }

  #complete(): void {
    const { chunk, bytes, filled } = this.#open!;
    this.#open = undefined;
    // One that met nothing new is used again.
    if (filled === 0) this.#giveBack(bytes.buffer);
    else this.#emit(chunk, bytes, filled);
  }

  /** The next chunk of the layer: its place is known from now on. */
  #emit(chunk: Chunk, bytes: Uint8Array<ArrayBuffer>, lengthBytes: number): void {
    chunk.plainOffset = this.#plainBytes;
    this.#plainBytes += lengthBytes;
    this.#plainHash.update(bytes.subarray(0, lengthBytes));
    const compressed = this.#pool.compress(bytes.buffer, lengthBytes);
    compressed.catch(() => {}); // told to whoever waits below
    const { plainOffset } = chunk;
    this.#written = this.#written.then(async () => {
      if (this.#failure !== undefined) return;
      try {
        await this.#writeFrame(plainOffset, await compressed);
      } catch (error) {
        this.#failure = { error };
        for (const { reject } of this.#waiting.splice(0)) reject(error);
      }
    });
  }

  async #writeFrame(plainOffset: number, { frame, digest, buffer }: CompressedChunk): Promise<void> {
    this.#addCheckpoint(this.#spans.length === 0 ? CheckpointKind.start : CheckpointKind.member, plainOffset);
    this.#spans.add({ plainOffset, checkpoint: this.#spans.length, compressedBytes: 0, digest });
    this.#blobHash.update(frame);
    this.#blobBytes += frame.length;
    await this.#write(frame);
    this.#giveBack(buffer);
  }

  #addCheckpoint(kind: number, plainOffset: number): void {
    this.#checkpoints.push({
      kind,
      plainOffset,
      compressedBitOffset: this.#blobBytes * 8,
      atHeader: kind !== CheckpointKind.final,
      blockBitOffset: undefined,
      prefixBytes: 0,
      packedWindow: new Uint8Array(0),
    });
  }

  async #buffer(): Promise<Uint8Array<ArrayBuffer>> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const buffer = this.#free.pop();
      if (buffer !== undefined) return new Uint8Array(buffer);
      // Two more than are under way: one for short pieces, one for long ones.
      if (this.#made < this.#pool.size * CHUNKS_PER_WORKER + 2) {
        this.#made++;
        return new Uint8Array(CHUNK_BYTES);
      }
      await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
  }

  #giveBack(buffer: ArrayBuffer): void {
    this.#free.push(buffer);
    this.#waiting.shift()?.resolve();
  }
}

/** What the first checkpoint of a layer without bytes has instead of the last one's. */
const START = { kind: CheckpointKind.start, atHeader: true } as const;

/** A sha256 as a Map takes it. */
function contentKey(bytes: Uint8Array): ByteString {
  return toByteString(sha256Bytes(bytes));
}
