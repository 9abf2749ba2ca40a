/*
 * Zstandard blocks (RFC 8878), restartable, in AssemblyScript. The caller reads frame and block headers, puts the content
 * of a block at INPUT and takes what it makes at `out`; the kernel keeps what one block leaves to the next: history,
 * entropy tables, recent offsets.
 *
 * A block is decoded whole or refused: it is at most 128 KiB on either side, so nothing has to stop in the middle. All
 * offsets and lengths are compared with the buffers' bounds; wide loads and copies may touch the slack around them.
 *
 * Starting between two blocks takes what `saveState` gives: the recent offsets, and the descriptions of the tables that
 * the next block may say it repeats, as they stood in the stream. The history it takes is what the blocks behind the
 * place refer to, which is logged block by block.
 */
import { addToChecksum, checksum, resetChecksum } from "./checksum";
import { decodeCompressed } from "./block";
import { makeTable, setDistribution } from "./fse";
import { forgetHuffmanTable, readHuffman } from "./huffman";
import {
  DEFAULT_LITERALS_LENGTHS,
  DEFAULT_MATCH_LENGTHS,
  DEFAULT_OFFSETS,
  DESCRIPTION_BYTES,
  DESCRIPTIONS,
  INPUT,
  LITERALS,
  LITERALS_LENGTH_MEANINGS,
  LOG,
  LOG_BYTES,
  MATCH_LENGTH_MEANINGS,
  OFFSET_MEANINGS,
  OUTPUT,
  PROBABILITIES,
  TABLES_END,
  WEIGHT_MEANINGS,
} from "./layout";
import { beginLog, setLogging } from "./log";
import { describe, forgetTables, HUFFMAN_SLOT, readTable } from "./sequences";
import {
  out,
  recent1,
  recent2,
  recent3,
  setHistoryStart,
  setOut,
  setRecent,
  setWindow,
} from "./state";
import { BAD_STATE } from "./status";

export { checksum };
export { out } from "./state";
export { loggedCount } from "./log";

// Refused by the compiler if the layout overlapped.
// @ts-ignore
if (TABLES_END > LITERALS || LOG + LOG_BYTES > OUTPUT) ERROR("the tables do not fit");

export function inputAddress(): u32 {
  return INPUT;
}

export function outputAddress(): u32 {
  return OUTPUT;
}

/** Forgets everything and stands before the first block of a frame. */
export function reset(windowBytes: u32, blockLimitBytes: u32): void {
  setOut(OUTPUT);
  setHistoryStart(OUTPUT);
  setWindow(windowBytes, blockLimitBytes);
  setRecent(1, 4, 8);
  forgetTables();
  forgetHuffmanTable();
  memory.fill(DESCRIPTIONS, 0, 4 * DESCRIPTION_BYTES);
  resetChecksum();
}

/** After `reset`: `bytes` of history have been put at OUTPUT. */
export function setHistory(bytes: u32): void {
  setOut(OUTPUT + bytes);
}

/** Address of the log: for each reference, distance back from the block's start and length, u32 each. */
export function logAddress(): u32 {
  return LOG;
}

/** Whether references of blocks to come are logged. */
export function logReferences(on: u32): void {
  setLogging(on != 0);
}

/** Decodes the block whose content is the first `bytes` of INPUT. 0, or a refusal. */
export function decodeBlock(bytes: u32): i32 {
  beginLog(out);
  return decodeCompressed(bytes);
}

/** Appends the first `bytes` of INPUT as they are. */
export function copyBlock(bytes: u32): void {
  beginLog(out);
  memory.copy(out, INPUT, bytes);
  setOut(out + bytes);
}

/** Appends the first byte of INPUT, `bytes` times. */
export function fillBlock(bytes: u32): void {
  beginLog(out);
  memory.fill(out, load<u8>(INPUT), bytes);
  setOut(out + bytes);
}

/** Takes the newest `bytes` of the output into the checksum. */
export function sum(bytes: u32): void {
  addToChecksum(out - bytes, out);
}

/** Moves the newest `keepBytes` of the output to its start. */
export function slide(keepBytes: u32): void {
  if (out - OUTPUT <= keepBytes) return;
  const from = out - keepBytes;
  memory.copy(OUTPUT, from, keepBytes);
  setOut(OUTPUT + keepBytes);
  setHistoryStart(OUTPUT);
}

/**
 * Writes to INPUT what a start at this place takes besides the history; its length. Three u32 of recent offsets; then
 * for literals lengths, offsets, match lengths: mode and length of the description, and the description; then length
 * and description of the Huffman table.
 */
export function saveState(): u32 {
  store<u32>(INPUT, recent1);
  store<u32>(INPUT, recent2, 4);
  store<u32>(INPUT, recent3, 8);
  let at = INPUT + 12;
  for (let slot: u32 = 0; slot < 4; slot++) {
    const description = DESCRIPTIONS + slot * DESCRIPTION_BYTES;
    const bytes = <u32>load<u8>(description, 1);
    if (slot != HUFFMAN_SLOT) store<u8>(at++, load<u8>(description));
    store<u8>(at++, bytes);
    memory.copy(at, description + 2, bytes);
    at += bytes;
  }
  return at - INPUT;
}

/** After `reset`: takes the `bytes` that `saveState` once wrote from INPUT. 0, or a refusal. */
export function loadState(bytes: u32): i32 {
  const end = INPUT + bytes;
  let at = INPUT + 12;
  if (at > end) return BAD_STATE;
  for (let slot: u32 = 0; slot < 4; slot++) {
    let mode: u32 = 0;
    if (slot != HUFFMAN_SLOT) {
      if (at >= end) return BAD_STATE;
      mode = <u32>load<u8>(at++);
      if (mode > 2) return BAD_STATE;
    }
    if (at >= end) return BAD_STATE;
    const length = <u32>load<u8>(at++);
    if (at + length > end || length > DESCRIPTION_BYTES - 2) return BAD_STATE;
    if (slot == HUFFMAN_SLOT) {
      if (length > 0) {
        if (readHuffman(at, at + length) != length) return BAD_STATE;
        describe(HUFFMAN_SLOT, 0, at, length);
      }
    } else if (<u32>readTable(slot, mode, at, at + length) != length) {
      return BAD_STATE;
    }
    at += length;
  }
  if (at != end) return BAD_STATE;
  setRecent(load<u32>(INPUT), load<u32>(INPUT, 4), load<u32>(INPUT, 8));
  return 0;
}

/** Says what a symbol means: `baseline`, and as many extra bits. */
function putMeaning(at: u32, symbol: u32, baseline: u32, extraBits: u32): void {
  store<u64>(at + (symbol << 3), <u64>baseline | (<u64>extraBits << 56));
}

/** Source: RFC 8878, sections 3.1.1.3.2.1.1 and 3.1.1.3.2.2. */
function fillMeanings(): void {
  for (let symbol: u32 = 0; symbol < 256; symbol++) putMeaning(WEIGHT_MEANINGS, symbol, symbol, 0);
  for (let symbol: u32 = 0; symbol < 32; symbol++) putMeaning(OFFSET_MEANINGS, symbol, 1 << symbol, symbol);
  let baseline: u32 = 0;
  for (let symbol: u32 = 0; symbol < 36; symbol++) {
    const extra: u32 = symbol < 16 ? 0 : symbol < 20 ? 1 : symbol < 22 ? 2 : symbol < 24 ? 3 : symbol == 24 ? 4 : symbol - 19;
    putMeaning(LITERALS_LENGTH_MEANINGS, symbol, baseline, extra);
    baseline += 1 << extra;
  }
  baseline = 3;
  for (let symbol: u32 = 0; symbol < 53; symbol++) {
    let extra: u32 = 0;
    if (symbol >= 32) {
      extra = symbol < 36 ? 1 : symbol < 38 ? 2 : symbol < 40 ? 3 : symbol < 42 ? 4 : symbol == 42 ? 5 : symbol - 36;
    }
    putMeaning(MATCH_LENGTH_MEANINGS, symbol, baseline, extra);
    baseline += 1 << extra;
  }
}

function putProbability(symbol: u32, probability: i32): void {
  store<i16>(PROBABILITIES + (symbol << 1), <i16>probability);
}

/** The distributions of blocks that bring none. Source: RFC 8878, appendix A. */
function fillDefaults(): void {
  for (let symbol: u32 = 0; symbol < 36; symbol++) {
    putProbability(symbol, symbol == 0 ? 4 : symbol == 1 || symbol == 25 ? 3 : symbol < 13 || (symbol > 15 && symbol < 27) ? 2 : symbol < 32 ? 1 : -1);
  }
  setDistribution(6, 36);
  makeTable(DEFAULT_LITERALS_LENGTHS, LITERALS_LENGTH_MEANINGS);
  for (let symbol: u32 = 0; symbol < 29; symbol++) {
    putProbability(symbol, symbol >= 24 ? -1 : symbol >= 6 && symbol <= 8 ? 2 : 1);
  }
  setDistribution(5, 29);
  makeTable(DEFAULT_OFFSETS, OFFSET_MEANINGS);
  for (let symbol: u32 = 0; symbol < 53; symbol++) {
    putProbability(symbol, symbol == 1 ? 4 : symbol == 2 ? 3 : symbol >= 3 && symbol <= 8 ? 2 : symbol < 46 ? 1 : -1);
  }
  setDistribution(6, 53);
  makeTable(DEFAULT_MATCH_LENGTHS, MATCH_LENGTH_MEANINGS);
}

fillMeanings();
fillDefaults();
