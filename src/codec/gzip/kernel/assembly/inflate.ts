/*
 * Raw inflate (RFC 1951), streaming and restartable, in AssemblyScript. The design of tables and fast loop follows
 * Eric Biggers's libdeflate; the refusals are zlib's, all of them and no others.
 *
 * Layout. One linear memory of fixed size holds everything at fixed addresses (layout.ts). The caller writes compressed
 * bytes to INPUT and takes plain bytes from OUTPUT, where new output follows on the history it may refer to, so that
 * matches are copied within one contiguous region, a window is a slice, and nothing is handed over by copying. When
 * OUTPUT is full the caller has the newest bytes moved to its start. Positions in the input are counted in bits from
 * address 0: there is no bit buffer between two calls, and a restart at any bit is an assignment.
 *
 * Stopping. `run` stops only between two symbols (or between two bytes of a stored block): at the end of the input, at
 * the output limit, at block ends on request. A symbol is taken wholly or not at all; of a match that would go beyond the
 * limit nothing is written. So there is no half-done state, every stop inside a block is a place where a decoder could
 * start again, given the block's header, and a stop at output offset X is at X or at most 257 bytes before it.
 *
 * Two loops decode symbols. The careful one (careful.ts) looks at every bound for every symbol. The fast one (fast.ts)
 * decodes a turn, at most three symbols, without looking, because it is entered only when
 *   - the input holds more bits than a turn can take: so no load in it goes further than the slack behind INPUT, and all
 *     bits it takes are real;
 *   - the output limit is further away than a turn can write: wide copies may overshoot by 31 bytes, into bytes that are
 *     not output yet, or into the slack behind OUTPUT;
 *   - the tables are complete: an entry exists for every bit pattern, and leads inside the tables;
 *   - there is a history of 32 KiB before the output, and no distance is longer. Before that, and while matches are
 *     logged, distances are compared with the history's start.
 * Of these the first two are tested once a turn; the others hold for thousands of turns on end.
 *
 * Alternatives rejected: a bit buffer kept between calls (it would have to be flushed at each stop); splitting matches at
 * the output limit (a state more, and stops at which nothing can start); a ring buffer (copies that wrap, windows in two
 * parts); bigger tables and entries of two literals (no faster on binaries: pairs rarely fit).
 */
import { copyStored, decodeCarefully } from "./careful";
import { decodeChecked, decodeLogged, decodePlain, TURN_BYTES } from "./fast";
import { readHeader } from "./header";
import { INPUT, INPUT_BYTES, LOG_RUN_BYTES, MAX_DISTANCE, MEMORY_END, MEMORY_PAGES, OUTPUT, OUTPUT_BYTES } from "./layout";
import {
  AT_HEADER,
  fail,
  FAILED,
  failure,
  headerOffset,
  historyStart,
  IN_CODES,
  IN_STORED,
  inputEnd,
  inputOffset,
  isFinal,
  isLogging,
  out,
  outputOffset,
  phase,
  position,
  setFinal,
  setHistoryStart,
  setInputEnd,
  setInputOffset,
  setOut,
  setOutputOffset,
  setPhase,
  setPosition,
  setStoredLeft,
  storedLeft,
} from "./state";
import { BAD_RESUME, BLOCK_END, NEED_INPUT, OUTPUT_FULL, PROCEED, STREAM_END } from "./status";
import { stopLog, tidyLog } from "./log";
import { fillConstants } from "./tables";

export { headerOffset, inputEnd, out } from "./state";
export { cellsAddress, lightestNear, mapAddress, mark, startLog, startTally, stopLog, tally } from "./log";

// Refused by the compiler if the memory were too small.
// @ts-ignore
if (MEMORY_END > MEMORY_PAGES << 16) ERROR("MEMORY_PAGES is too small");

fillConstants();

/** Address of OUTPUT, where a window is put before `reset`. */
export function outputAddress(): u32 {
  return OUTPUT;
}

/** Bytes of OUTPUT, history included. */
export function outputCapacity(): u32 {
  return OUTPUT_BYTES;
}

/**
 * Stands before a block, with no input. The first byte to be fed is the one that holds bit `bitOffset` of the compressed
 * stream; `windowBytes` (at most 32 KiB) of history, already at OUTPUT, end before plain byte `plainOffset`.
 */
export function reset(windowBytes: u32, plainOffset: f64, bitOffset: f64): void {
  moveInput(bitOffset);
  setOut(OUTPUT + windowBytes);
  setOutputOffset(plainOffset - <f64>windowBytes);
  setHistoryStart(OUTPUT);
  setPhase(AT_HEADER);
  setFinal(false);
  stopLog();
}

/** Drops all input: the next byte to be fed holds bit `bitOffset`. */
function moveInput(bitOffset: f64): void {
  const byteOffset = Math.floor(bitOffset / 8);
  setInputOffset(byteOffset);
  setInputEnd(INPUT);
  setPosition((INPUT << 3) + <u32>(bitOffset - byteOffset * 8));
}

/**
 * After `reset` and the feeding of a block's whole header: goes to the symbol (or stored byte) at bit `bitOffset` inside
 * that block, and drops the input. PROCEED; NEED_INPUT where the header was not whole; or a refusal.
 */
export function enterBlock(bitOffset: f64): i32 {
  const start = position;
  const status = readHeader();
  if (status < 0) return fail(status);
  if (status != PROCEED) return status;
  const bitsInto = bitOffset - headerOffset - <f64>(position - start);
  if (!(bitsInto >= 0)) return fail(BAD_RESUME);
  if (phase == IN_STORED) {
    if (bitsInto % 8 != 0 || bitsInto / 8 > <f64>storedLeft) return fail(BAD_RESUME);
    setStoredLeft(storedLeft - <u32>(bitsInto / 8));
  }
  moveInput(bitOffset);
  return PROCEED;
}

/** Moves what is left of the input to the start of INPUT; the address at which to put more, up to `inputLimit`. */
export function makeRoom(): u32 {
  const from = min(position >> 3, inputEnd);
  const left = inputEnd - from;
  memory.copy(INPUT, from, left);
  setInputOffset(inputOffset + <f64>(from - INPUT));
  setPosition(position - ((from - INPUT) << 3));
  setInputEnd(INPUT + left);
  return inputEnd;
}

/** One past the last address for input. */
export function inputLimit(): u32 {
  return INPUT + INPUT_BYTES;
}

/** Says that the input now ends at address `end`: after more was put there, or to have its last bytes forgotten. */
export function endInputAt(end: u32): void {
  setInputEnd(end);
}

/** Address of the byte that holds the next bit; `inputEnd` where that byte has not been fed. */
export function unreadAddress(): u32 {
  return position >> 3;
}

/** Compressed bits before the next one. */
export function bitOffset(): f64 {
  return inputOffset * 8 + <f64>(position - (INPUT << 3));
}

/** Plain bytes before the next one. */
export function plainOffset(): f64 {
  return outputOffset + <f64>(out - OUTPUT);
}

/** Whether the next bit is inside a block. */
export function isInBlock(): bool {
  return phase != AT_HEADER;
}

/** Moves the newest `keepBytes` of the output, at least 32 KiB, to the start of OUTPUT; forgets what came before. */
export function slide(keepBytes: u32): void {
  if (out - OUTPUT <= keepBytes) return;
  const delta = out - OUTPUT - keepBytes;
  memory.copy(OUTPUT, OUTPUT + delta, keepBytes);
  setOut(out - delta);
  setOutputOffset(outputOffset + <f64>delta);
  setHistoryStart(max(historyStart, OUTPUT + delta) - delta);
}

/**
 * Decodes until the input or the output is used up, a block ends (if `stopAtBlockEnds`) or the stream does. The output
 * is used up where the next symbol would write to or beyond plain offset `limit`, or beyond the end of OUTPUT; a block
 * end that is there already is taken before that is said.
 */
export function run(limit: f64, stopAtBlockEnds: bool): i32 {
  if (phase == FAILED) return failure;
  const end: u32 = OUTPUT + <u32>max<f64>(0, min<f64>(limit - outputOffset, <f64>OUTPUT_BYTES));
  if (end < out) return OUTPUT_FULL;
  while (true) {
    let status: i32;
    if (phase == AT_HEADER) {
      if (isFinal) return STREAM_END;
      // Not into the next block: a place between two blocks is worth more than one behind a header.
      if (out == end) return OUTPUT_FULL;
      status = readHeader();
    } else if (phase == IN_STORED) status = copyStored(end);
    else if (isLogging) {
      tidyLog();
      const cut = min(end, out + LOG_RUN_BYTES);
      status = decodeCodes(cut);
      if (status == OUTPUT_FULL && cut < end) continue;
    } else status = decodeCodes(end);

    if (status == PROCEED) continue;
    if (status < 0) return fail(status);
    // Whoever has what he asked for need not wait for input.
    if (status != BLOCK_END) return status == NEED_INPUT && out == end ? OUTPUT_FULL : status;
    setPhase(AT_HEADER);
    if (isFinal) return STREAM_END;
    if (stopAtBlockEnds) return BLOCK_END;
  }
}

/**
 * Inside a block of codes: decodes one symbol, as far as OUTPUT goes. OUTPUT_FULL when it was done or does not fit; else
 * as `run` with stops at block ends. Elsewhere OUTPUT_FULL, and nothing is done.
 */
export function step(): i32 {
  if (phase == FAILED) return failure;
  if (phase != IN_CODES) return OUTPUT_FULL;
  if (isLogging) tidyLog();
  const status = decodeCarefully(OUTPUT + OUTPUT_BYTES, true);
  if (status == PROCEED || status == OUTPUT_FULL) return OUTPUT_FULL;
  if (status < 0) return fail(status);
  if (status != BLOCK_END) return status;
  setPhase(AT_HEADER);
  return isFinal ? STREAM_END : BLOCK_END;
}

/** Decodes the symbols of a block, with the fast loop that will do, and the careful one where none does. */
function decodeCodes(end: u32): i32 {
  while (end - out >= TURN_BYTES) {
    const before = out;
    const checkedUntil = historyStart + MAX_DISTANCE;
    let status: i32;
    if (isLogging) status = decodeLogged(end);
    else if (out < checkedUntil) status = decodeChecked(min(end, checkedUntil + TURN_BYTES));
    else status = decodePlain(end);
    if (status != PROCEED) return status;
    if (out == before) break;
  }
  return decodeCarefully(end, false);
}
