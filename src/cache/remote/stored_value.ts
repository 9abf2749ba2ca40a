/**
 * How spans are stored: as they are, or as one gzip stream where that is smaller. Nothing marks which it is. A value as
 * long as the span with its sha256 is the span; anything else is taken for gzip, and what comes out must have the
 * length and the sha256.
 */
import type { Transform } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import { KIB, sha256Bytes, sleep } from "../../base/mod.ts";

/** Faster is worth more than smaller: what is stored has been waited for by a reader, and will be. */
const LEVEL = 1;
/** Gzip is stored where it takes no more of the plain bytes than this. */
const WORTHWHILE_SHARE = 7 / 8;
/** Compressed in one go; then other work has its turn. */
const GZIP_PIECE_BYTES = 128 * KIB;
/**
 * Inflated in one go, to a thousand times as much at most: node:zlib of Deno 2.4 heeds neither maxOutputLength nor the
 * reader of a stream, and would inflate to the end all that it is given.
 */
const GUNZIP_PIECE_BYTES = 64 * KIB;
/** What comes out at a time. */
const CHUNK_BYTES = 256 * KIB;

/** The plain bytes of `value`; undefined unless there are `plainBytes` of them and they have that sha256. `value` may be returned itself. */
export async function decodeValue(
  value: Uint8Array<ArrayBuffer>,
  { sha256, plainBytes }: { sha256: Uint8Array; plainBytes: number },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (value.length === plainBytes && isDigestOf(value, sha256)) return value;
  const bytes = await gunzip(value, plainBytes);
  return bytes !== undefined && isDigestOf(bytes, sha256) ? bytes : undefined;
}

function isDigestOf(bytes: Uint8Array, sha256: Uint8Array): boolean {
  const actual = sha256Bytes(bytes);
  return actual.length === sha256.length && actual.every((byte, at) => byte === sha256[at]);
}

/** What `value` inflates to; undefined where it is not gzip, or of another length. Stops soon after too many bytes. */
async function gunzip(value: Uint8Array, plainBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (value[0] !== 0x1f || value[1] !== 0x8b) return undefined;
  const gunzipped = await pump(createGunzip({ chunkSize: CHUNK_BYTES }), value, {
    pieceBytes: GUNZIP_PIECE_BYTES,
    maxBytes: plainBytes,
  });
  return gunzipped?.length === plainBytes ? gunzipped : undefined;
}

/** `bytes` as a gzip stream; undefined where that is hardly smaller. Other work of the thread has its turn meanwhile. */
export function gzipIfWorthwhile(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return pump(createGzip({ level: LEVEL, chunkSize: CHUNK_BYTES }), bytes, {
    pieceBytes: GZIP_PIECE_BYTES,
    maxBytes: Math.floor(bytes.length * WORTHWHILE_SHARE),
    betweenPieces: () => sleep(0),
  });
}

interface PumpOptions {
  /** Written at a time. */
  readonly pieceBytes: number;
  /** More than this is not wanted. */
  readonly maxBytes: number;
  readonly betweenPieces?: () => Promise<void>;
}

/** What comes out of `stream` for `bytes`; undefined when it fails, or when too much comes out. */
async function pump(
  stream: Transform,
  bytes: Uint8Array,
  { pieceBytes, maxBytes, betweenPieces }: PumpOptions,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const output = new Uint8Array(maxBytes);
  let outputBytes = 0;
  let isTooLong = false;
  stream.on("data", (chunk: Uint8Array) => {
    isTooLong ||= outputBytes + chunk.length > maxBytes;
    if (isTooLong) return;
    output.set(chunk, outputBytes);
    outputBytes += chunk.length;
  });
  const ended = new Promise<void>((resolve, reject) => stream.on("end", resolve).on("error", reject));
  ended.catch(() => {}); // seen below, where it matters
  try {
    for (let at = 0; at < bytes.length && !isTooLong; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      await Promise.race([ended, new Promise<void>((resolve) => stream.write(piece, () => resolve()))]);
      await betweenPieces?.();
    }
    if (isTooLong) return undefined;
    stream.end();
    await ended;
    return isTooLong ? undefined : output.slice(0, outputBytes);
  } catch {
    return undefined; // not what it is taken for, or cut off
  } finally {
    stream.destroy();
  }
}
