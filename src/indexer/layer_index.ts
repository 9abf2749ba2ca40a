/**
 * What a scan of one layer found, as bytes: what the index cache keeps, and what can be handed on beside the layer. Its
 * body is what a layer's Worker sends. docs/format.md, "Layer index", tells the format with reasons.
 *
 *     0   magic          9 bytes
 *     9   zero           1 byte
 *     10  version        u16
 *     12  body bytes     u32, inflated
 *     16  body digest    sha256 of bytes 0–15 and of the body as it is stored
 *     48  body           raw deflate, to the end
 *
 * The body is a row of counts, bytes and texts (see ByteWriter): key, sizes, warnings, checkpoints, spans, entries. It
 * is read from front to back once, so it needs no table of contents.
 */
import { createHash } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import {
  ClipError,
  CorruptError,
  type Digest,
  equalBytes,
  GIB,
  KIB,
  messageOf,
  MIB,
  parseDigest,
} from "../base/mod.ts";
import { inflateInto } from "../archive/mod.ts";
import { STRATEGY_NAMES } from "../codec/mod.ts";
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { readEntries, writeEntries } from "./entry_list.ts";
import { type LayerScan, learntBytes, type ScanLayerOptions } from "./layer_scan.ts";
import { readCheckpoints, readSpans, writeCheckpoints, writeSpans } from "./layer_tables_coding.ts";

/** Version of the bytes that this code writes, and the only one it reads. */
export const LAYER_INDEX_VERSION = 1;

/** Raised when a scan of the same layer with the same options comes to find something else than before. */
export const SCAN_REVISION = 5;

/** `\x89CLPL\r\n\x1a\n`, like an archive's but for the letters. */
const MAGIC: readonly number[] = [0x89, 0x43, 0x4c, 0x50, 0x4c, 0x0d, 0x0a, 0x1a, 0x0a];

/** The fixed part before the body. */
export const LAYER_INDEX_HEADER = {
  magic: { at: 0, bytes: 9 },
  reserved: { at: 9, bytes: 1 },
  version: { at: 10, bytes: 2 },
  bodyBytes: { at: 12, bytes: 4 },
  digest: { at: 16, bytes: 32 },
} as const;
/** Length of the fixed part. */
export const LAYER_INDEX_HEADER_BYTES = 48;

/** Longest body: room for some ten million entries, and what a reader can be made to allocate. */
const MAX_BODY_BYTES = GIB;
/** Deflate makes at most so many bytes of one. Source: zlib's technical details, "Maximum Compression Factor". */
const MAX_DEFLATE_RATIO = 1032;
/** Of 200,000 small files: level 1 37 ms for 3.18 MB, level 3 80 ms for 2.41 MB, level 6 240 ms for 2.25 MB. */
const DEFLATE_LEVEL = 3;
const MAX_CODEC_NAME_BYTES = 32;
const MAX_DIGEST_BYTES = 135;

/** Which layer was scanned, and how. */
export interface LayerIndexKey {
  /** Digest of the blob, or the diffId where its source knows no other. */
  readonly layerDigest: Digest;
  /** The options it was scanned with. */
  readonly options: ScanLayerOptions;
  /** {@linkcode SCAN_REVISION} of the clip that scanned. */
  readonly scanRevision: number;
}

/** What a layer index says. */
export interface LayerIndex {
  /** Which layer, and how it was scanned. */
  readonly key: LayerIndexKey;
  /** What was found. */
  readonly scan: LayerScan;
}

/**
 * The scan as a layer index, at offset 0 of a buffer of its own. Equal scans give equal bytes (for one version of the
 * zlib that Deno carries). @throws {ClipError} `limit` beyond 1 GiB, undeflated.
 */
export function encodeLayerIndex(scan: LayerScan, key: LayerIndexKey): Uint8Array<ArrayBuffer> {
  return packLayerIndex(encodeLayerBody(scan, key));
}

/** The body of the same, not deflated. @throws {ClipError} as `encodeLayerIndex`. */
export function encodeLayerBody(scan: LayerScan, key: LayerIndexKey): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(MAX_BODY_BYTES, KIB + learntBytes(scan));
  const text = (value: string) => writer.counted(new TextEncoder().encode(value));
  text(key.layerDigest);
  writer.count(key.scanRevision);
  writeOptions(writer, key.options);
  text(scan.codec);
  writer.count(scan.compressedBytes);
  writer.count(scan.plainBytes);
  text(scan.diffId);
  writer.count(scan.warnings.length);
  for (const warning of scan.warnings) text(warning);
  writeCheckpoints(writer, scan.checkpoints);
  writeSpans(writer, scan.spans);
  writeEntries(writer, scan.entries);
  return writer.written();
}

/** A layer index of this body, at offset 0 of a buffer of its own. */
export function packLayerIndex(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const packed = deflateRawSync(body, { level: DEFLATE_LEVEL, chunkSize: MIB });
  const bytes = new Uint8Array(LAYER_INDEX_HEADER_BYTES + packed.length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, LAYER_INDEX_HEADER.magic.at);
  view.setUint16(LAYER_INDEX_HEADER.version.at, LAYER_INDEX_VERSION, true);
  view.setUint32(LAYER_INDEX_HEADER.bodyBytes.at, body.length, true);
  bytes.set(packed, LAYER_INDEX_HEADER_BYTES);
  bytes.set(digestOf(bytes), LAYER_INDEX_HEADER.digest.at);
  return bytes;
}

/**
 * What a layer index says, every field checked: tables that an archive can hold, entries inside the layer. Whether they
 * are true of the layer, only the layer can tell. `bytes` are looked at, not kept.
 * @param source Where they come from, for messages.
 * @throws {CorruptError} naming the field; its offset is that in the inflated body, but for the fields of the header.
 * @throws {ClipError} `unsupported` for another version.
 */
export async function decodeLayerIndex(bytes: Uint8Array, source: string): Promise<LayerIndex> {
  return decodeLayerBody(await unpackLayerIndex(bytes, source), source);
}

/** What a body says, checked as by `decodeLayerIndex`. Entries and windows are views of it. @throws {CorruptError} */
export function decodeLayerBody(body: Uint8Array, source: string): LayerIndex {
  const subject = "layer index";
  const reader = new ByteReader(body, { subject, source });
  const digest = (field: string) =>
    parseDigest(reader.countedUnits(field, MAX_DIGEST_BYTES), { subject, field, source });
  const layerDigest = digest("layerDigest");
  const scanRevision = reader.count("scanRevision");
  const key = { layerDigest, scanRevision, options: readOptions(reader) };
  const codec = reader.countedUnits("codec", MAX_CODEC_NAME_BYTES);
  if (!/^[a-z0-9]+$/.test(codec)) reader.bad("codec", JSON.stringify(codec), "a name of small letters and digits");
  const sizes = {
    compressedBytes: reader.count("compressedBytes", Number.MAX_SAFE_INTEGER / 8),
    plainBytes: reader.count("plainBytes"),
  };
  const diffId = digest("diffId");
  const warnings: string[] = [];
  for (let left = reader.count("number of warnings", reader.remainingBytes); left > 0; left--) {
    warnings.push(reader.countedText("warning"));
  }
  const checkpoints = readCheckpoints(reader, sizes);
  const spans = readSpans(reader, sizes, checkpoints);
  const entries = readEntries(reader, sizes.plainBytes);
  reader.within("");
  reader.end();
  return { key, scan: { codec, ...sizes, diffId, checkpoints, spans, entries, warnings } };
}

/** In the order of the bytes; a further option goes behind them. 0 stands for null, other sizes are one more. */
function writeOptions(writer: ByteWriter, { strategy, spacingBytes, fileCheckpointBytes }: ScanLayerOptions): void {
  writer.count(STRATEGY_NAMES.indexOf(strategy));
  writer.count(spacingBytes);
  writer.count(fileCheckpointBytes === null ? 0 : fileCheckpointBytes + 1);
}

function readOptions(reader: ByteReader): ScanLayerOptions {
  const strategy = STRATEGY_NAMES[reader.count("strategy", STRATEGY_NAMES.length - 1)]!;
  const spacingBytes = reader.count("spacingBytes");
  const fileCheckpoint = reader.count("fileCheckpointBytes");
  return { strategy, spacingBytes, fileCheckpointBytes: fileCheckpoint === 0 ? null : fileCheckpoint - 1 };
}

/** Checks the header, and inflates the body. */
async function unpackLayerIndex(bytes: Uint8Array, source: string): Promise<Uint8Array> {
  const bad = (field: string, offset: number, actual: string | number, expected: string | number) => {
    throw new CorruptError({ subject: "layer index", source, field, offset, actual, expected });
  };
  if (bytes.length < LAYER_INDEX_HEADER_BYTES) bad("length", 0, bytes.length, `at least ${LAYER_INDEX_HEADER_BYTES}`);
  const { magic, version, bodyBytes, digest } = LAYER_INDEX_HEADER;
  if (!MAGIC.every((byte, i) => bytes[magic.at + i] === byte)) bad("magic", magic.at, "other bytes", "a layer index's");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = view.getUint16(version.at, true);
  if (found !== LAYER_INDEX_VERSION) {
    throw new ClipError("unsupported", `${source}: layer index of version ${found}, clip reads ${LAYER_INDEX_VERSION}`);
  }
  if (!equalBytes(digestOf(bytes), bytes.subarray(digest.at, digest.at + digest.bytes))) {
    bad("digest", digest.at, "another", "the sha256 of the rest");
  }
  const { reserved } = LAYER_INDEX_HEADER;
  if (bytes[reserved.at] !== 0) bad("reserved byte", reserved.at, bytes[reserved.at]!, 0);
  const packed = bytes.subarray(LAYER_INDEX_HEADER_BYTES);
  const length = view.getUint32(bodyBytes.at, true);
  const most = Math.min(MAX_BODY_BYTES, packed.length * MAX_DEFLATE_RATIO);
  if (length > most) bad("body length", bodyBytes.at, length, `at most ${most}`);
  const body = new Uint8Array(length);
  try {
    await inflateInto(packed, body);
  } catch (error) {
    bad("body", LAYER_INDEX_HEADER_BYTES, messageOf(error), `${length} bytes of deflated data`);
  }
  return body;
}

/** The sha256 of everything but the header's digest. */
function digestOf(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes.subarray(0, LAYER_INDEX_HEADER.digest.at))
    .update(bytes.subarray(LAYER_INDEX_HEADER_BYTES)).digest();
}
