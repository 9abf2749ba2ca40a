/*
 * The slow loops: one symbol at a time, every bound checked, for the ends of the input and of the output.
 */
import { bitsAt } from "./header";
import { historyStart, inputEnd, isLogging, out, position, setOut, setPosition, setStoredLeft, storedLeft } from "./state";
import {
  BAD_DISTANCE_SYMBOL,
  BAD_LITLEN_SYMBOL,
  BLOCK_END,
  DISTANCE_TOO_FAR,
  NEED_INPUT,
  OUTPUT_FULL,
  PROCEED,
} from "./status";
import {
  distanceEntry,
  distanceOf,
  distanceSubtableEntry,
  entriesAt,
  lengthOf,
  litlenEntry,
  litlenSubtableEntry,
  SCALE,
} from "./entries";
import { END, ODD, SUBTABLE } from "./tables";
import { logMatch } from "./log";

/** Copies a stored block's bytes as far as input and `limit` go: BLOCK_END, OUTPUT_FULL or NEED_INPUT. */
export function copyStored(limit: u32): i32 {
  const from = position >> 3;
  const count = min(storedLeft, min(inputEnd - from, limit - out));
  memory.copy(out, from, count);
  setPosition(position + (count << 3));
  setOut(out + count);
  setStoredLeft(storedLeft - count);
  if (storedLeft == 0) return BLOCK_END;
  return out == limit ? OUTPUT_FULL : NEED_INPUT;
}

/**
 * Decodes symbols while they lie wholly in the input and what they write ends at or before `limit`: BLOCK_END (its
 * symbol consumed), OUTPUT_FULL or NEED_INPUT (the symbol that did not fit not consumed), or a refusal.
 * With `once`, PROCEED after one symbol.
 */
export function decodeCarefully(limit: u32, once: bool): i32 {
  const end = inputEnd << 3;
  while (true) {
    let at = position;
    let bits = bitsAt(at) << <u64>SCALE;
    let entry = litlenEntry(entriesAt(bits));
    if (entry & SUBTABLE) entry = litlenSubtableEntry(entry, bits);
    at += entry & 63;
    if (at > end) return NEED_INPUT;
    if (entry < 0) {
      if (out == limit) return OUTPUT_FULL;
      store<u8>(out, entry >> 16);
      setOut(out + 1);
      setPosition(at);
      if (once) return PROCEED;
      continue;
    }
    if (entry & ODD) {
      if (!(entry & END)) return BAD_LITLEN_SYMBOL;
      setPosition(at);
      return BLOCK_END;
    }
    const length = lengthOf(entry, bits);

    bits = bitsAt(at) << <u64>SCALE;
    let distance = distanceEntry(entriesAt(bits));
    if (distance & SUBTABLE) distance = distanceSubtableEntry(distance, bits);
    at += distance & 63;
    if (at > end) return NEED_INPUT;
    if (distance & ODD) return BAD_DISTANCE_SYMBOL;
    const from = out - distanceOf(distance, bits);
    if (length > limit - out) return OUTPUT_FULL;
    if (from < historyStart) return DISTANCE_TOO_FAR;
    if (isLogging) logMatch(out, at, out - from, length);
    for (let i: u32 = 0; i < length; i++) store<u8>(out + i, load<u8>(from + i));
    setOut(out + length);
    setPosition(at);
    if (once) return PROCEED;
  }
}
