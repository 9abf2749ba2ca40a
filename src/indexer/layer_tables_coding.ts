/** Checkpoints and spans in a layer index, and back. docs/format.md, "Layer index", tells the bytes. */
import {
  checkWindowRecord,
  MAX_CHECKPOINT_KIND,
  MAX_PREFIX_BYTES,
  MAX_SPAN_BYTES,
  MAX_SPAN_COMPRESSED_BYTES,
  MAX_WINDOW_RECORD_BYTES,
  type SpanList,
  SpanListWriter,
  type StoredCheckpoint,
} from "../archive/mod.ts";
import { CorruptError } from "../base/mod.ts";
import type { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";

/** Bits of a checkpoint's first byte: a member or frame header comes first; it is inside a block. Below is the kind. */
const AT_HEADER = 0x80;
const IN_BLOCK = 0x40;
const DIGEST_BYTES = 32;
/** The fewest bytes that a checkpoint takes, and a span: so many can there be at most in what is left. */
const MIN_CHECKPOINT_BYTES = 4;
const MIN_SPAN_BYTES = 3 + DIGEST_BYTES;

/** What the tables must agree with. */
export interface LayerSizes {
  readonly compressedBytes: number;
  readonly plainBytes: number;
}

/** How many there are, and each relative to the one before. */
export function writeCheckpoints(writer: ByteWriter, checkpoints: readonly StoredCheckpoint[]): void {
  writer.count(checkpoints.length);
  let plainOffset = 0;
  let compressedBitOffset = 0;
  for (const checkpoint of checkpoints) {
    writer.count(checkpoint.plainOffset - plainOffset);
    writer.count(checkpoint.compressedBitOffset - compressedBitOffset);
    writeRestart(writer, checkpoint);
    ({ plainOffset, compressedBitOffset } = checkpoint);
  }
}

/**
 * Checkpoints such as an archive can hold: at least two, the first at 0 without a window, ascending, the last at the
 * end of the layer. @throws {CorruptError}
 */
export function readCheckpoints(reader: ByteReader, sizes: LayerSizes): StoredCheckpoint[] {
  reader.within("checkpoints");
  const count = reader.count("number", Math.floor(reader.remainingBytes / MIN_CHECKPOINT_BYTES));
  if (count < 2) reader.bad("number", count, "at least 2");
  const checkpoints: StoredCheckpoint[] = [];
  let plainOffset = 0;
  let compressedBitOffset = 0;
  for (let row = 0; row < count; row++) {
    reader.within("checkpoints", row);
    const plainStep = reader.count("plainOffset", sizes.plainBytes - plainOffset);
    if (row === 0 ? plainStep !== 0 : plainStep === 0 && row < count - 1) {
      reader.bad("plainOffset", plainStep, row === 0 ? 0 : "a step forward");
    }
    plainOffset += plainStep;
    compressedBitOffset += reader.count("compressedBitOffset", sizes.compressedBytes * 8 - compressedBitOffset);
    const checkpoint = { plainOffset, compressedBitOffset, ...readRestart(reader, compressedBitOffset) };
    if (row === 0) checkFirst(reader, checkpoint);
    checkpoints.push(checkpoint);
  }
  if (plainOffset !== sizes.plainBytes) reader.bad("plainOffset", plainOffset, sizes.plainBytes);
  return checkpoints;
}

/** Where nothing else helps, the layer is decoded from the first checkpoint: it must need nothing. */
function checkFirst(reader: ByteReader, checkpoint: StoredCheckpoint): void {
  const { compressedBitOffset, blockBitOffset, prefixBytes, packedWindow } = checkpoint;
  if (compressedBitOffset !== 0) reader.bad("compressedBitOffset", compressedBitOffset, 0);
  if (blockBitOffset !== undefined) reader.bad("kind", "a place in a block", "one that is in none");
  if (prefixBytes !== 0) reader.bad("prefixBytes", prefixBytes, 0);
  if (packedWindow.length !== 0) reader.bad("packedWindow", `${packedWindow.length} bytes`, "none");
}

/** What a checkpoint holds besides its place. */
type Restart = Omit<StoredCheckpoint, "plainOffset" | "compressedBitOffset">;

function writeRestart(writer: ByteWriter, checkpoint: StoredCheckpoint): void {
  const { kind, atHeader, blockBitOffset, prefixBytes, packedWindow, compressedBitOffset } = checkpoint;
  writer.u8(kind | (atHeader ? AT_HEADER : 0) | (blockBitOffset === undefined ? 0 : IN_BLOCK));
  if (blockBitOffset !== undefined) writer.count(compressedBitOffset - blockBitOffset);
  writer.count(prefixBytes);
  writer.counted(packedWindow);
}

function readRestart(reader: ByteReader, compressedBitOffset: number): Restart {
  const first = reader.u8("kind", 0xff);
  const kind = first & ~(AT_HEADER | IN_BLOCK);
  if (kind > MAX_CHECKPOINT_KIND) reader.bad("kind", kind, `at most ${MAX_CHECKPOINT_KIND}`);
  const inBlock = (first & IN_BLOCK) !== 0;
  const restart = {
    kind,
    atHeader: (first & AT_HEADER) !== 0,
    blockBitOffset: inBlock ? compressedBitOffset - reader.count("blockBitOffset", compressedBitOffset) : undefined,
    prefixBytes: reader.count("prefixBytes", MAX_PREFIX_BYTES),
    packedWindow: reader.counted("packedWindow", MAX_WINDOW_RECORD_BYTES),
  };
  checkWindow(reader, restart);
  return restart;
}

/** An archive takes the record as it is, and finds out when it is read: on a worker, much later. */
function checkWindow(reader: ByteReader, { blockBitOffset, prefixBytes, packedWindow }: Restart): void {
  try {
    const { windowBytes, blockHeaderBytes } = checkWindowRecord(packedWindow, "layer index");
    if (prefixBytes > windowBytes) reader.bad("prefixBytes", prefixBytes, `at most ${windowBytes}, the window's`);
    if ((blockBitOffset === undefined) !== (blockHeaderBytes === 0)) {
      reader.bad("packedWindow", `a block header of ${blockHeaderBytes} bytes`, "one where the place is in a block");
    }
  } catch (error) {
    if (!(error instanceof CorruptError) || error.details.subject !== "archive") throw error;
    reader.bad("packedWindow", `a bad ${error.details.field}`, "a window record");
  }
}

/** How many there are, and each relative to the one before. */
export function writeSpans(writer: ByteWriter, spans: SpanList): void {
  writer.count(spans.length);
  let plainOffset = 0;
  let checkpoint = 0;
  for (const span of spans) {
    writer.count(span.plainOffset - plainOffset);
    writer.count(span.checkpoint - checkpoint);
    writer.count(span.compressedBytes);
    writer.raw(span.digest);
    ({ plainOffset, checkpoint } = span);
  }
}

/**
 * Spans such as an archive can hold: the first at 0, ascending, none too long, each with a checkpoint at or before it;
 * none where the layer is empty. @throws {CorruptError}
 */
export function readSpans(reader: ByteReader, sizes: LayerSizes, checkpoints: readonly StoredCheckpoint[]): SpanList {
  reader.within("spans");
  const { plainBytes } = sizes;
  const count = reader.count("number", Math.floor(reader.remainingBytes / MIN_SPAN_BYTES));
  if ((count === 0) !== (plainBytes === 0)) reader.bad("number", count, plainBytes === 0 ? 0 : "at least 1");
  const spans = new SpanListWriter();
  let plainOffset = 0;
  let checkpoint = 0;
  for (let row = 0; row < count; row++) {
    reader.within("spans", row);
    const step = reader.count("plainOffset", row === 0 ? 0 : MAX_SPAN_BYTES);
    if (row > 0 && step === 0) reader.bad("plainOffset", step, "a step forward");
    plainOffset += step;
    checkpoint += reader.count("checkpoint", checkpoints.length - 2 - checkpoint); // nothing starts at the final one
    if (checkpoints[checkpoint]!.plainOffset > plainOffset) {
      reader.bad("checkpoint", checkpoint, "one at or before the span");
    }
    const start = Math.floor(checkpoints[checkpoint]!.compressedBitOffset / 8);
    const most = Math.min(sizes.compressedBytes - start, MAX_SPAN_COMPRESSED_BYTES);
    const compressedBytes = reader.count("compressedBytes", most);
    spans.add({ plainOffset, checkpoint, compressedBytes, digest: reader.raw("digest", DIGEST_BYTES) });
  }
  const lastBytes = plainBytes - plainOffset;
  if (count > 0 && (lastBytes <= 0 || lastBytes > MAX_SPAN_BYTES)) {
    reader.bad("plainOffset", plainOffset, `below ${plainBytes}, by ${MAX_SPAN_BYTES} at most`);
  }
  return spans.finish();
}
