/*
 * The fast loop. inflate.ts says why it needs no bounds checks; this is how its time is spent.
 *
 * Most of it goes by in branches predicted wrongly, literal or match, and in the chain from one lookup to the next:
 * load, mask, shift, mask, load. So the next lookup is begun before the branch that decides which of the codes it is
 * for: after a wrong guess the right entry, which lies beside the other one, is soon there. In the same way a turn begins
 * the next one's first lookup before it copies. What is rare in either code is one branch away. Refills (one unaligned
 * load, or-ed above what is left; bits that are there already are or-ed with themselves) are placed where no lookup waits
 * for them. Pieces of code that occur several times are written out, since wasm has neither macros nor, in V8, several
 * results kept in registers. Where the order of statements does not matter to the result it does to the time, by some
 * percent: decision 13 tells how that is measured.
 *
 * The bit buffer holds at least 53 bits after a refill, and a turn begins with one. Enough for a length of the first
 * level (16), a distance of the first level (22) and the lookup of what follows (11); or for two literals (22), a length
 * and a lookup; or for three literals and a lookup. After literals, and where a code of a subtable is next, there is a
 * refill before the distance (28 at most).
 */
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
import { LITLEN_BITS, LOG_ENTRY_BYTES, MAX_LENGTH, PATTERNS, STRIDES } from "./layout";
import { historyStart, inputEnd, logEnd, out, position, setLogEnd, setOut, setPosition } from "./state";
import { BAD_DISTANCE_SYMBOL, BAD_LITLEN_SYMBOL, BLOCK_END, DISTANCE_TOO_FAR, PROCEED } from "./status";
import { END, ODD, SUBTABLE } from "./tables";
import { bitBias, plainBias } from "./log";

/**
 * Bytes of input that must be left for a turn. It takes at most 70 bits (two literals of 11, a length of 20, a distance
 * of 28); what its refills read beyond lies in the slack and is not used.
 */
const TURN_INPUT_BYTES: u32 = 15;
/** Bytes that a turn writes at most, overshoot not counted: three literals, or two and a match. */
export const TURN_BYTES: u32 = 2 + MAX_LENGTH;

/** Matches cannot refer to before the history. */
const PLAIN: i32 = 0;
/** They may. */
const CHECKED: i32 = 1;
/** They may, and are logged. */
const LOGGED: i32 = 2;

/** For output from 32 KiB after the history's start on. */
export function decodePlain(limit: u32): i32 {
  return decodeFast(PLAIN, limit);
}

/** For any output. */
export function decodeChecked(limit: u32): i32 {
  return decodeFast(CHECKED, limit);
}

/** For any output; there is room in the log. */
export function decodeLogged(limit: u32): i32 {
  return decodeFast(LOGGED, limit);
}

/**
 * Decodes turn by turn while TURN_INPUT_BYTES of input are left and TURN_BYTES before `limit`: PROCEED when they are
 * not, BLOCK_END, or a refusal.
 */
// @ts-ignore: decorator
@inline
function decodeFast(mode: i32, limit: u32): i32 {
  const nextLimit: u32 = inputEnd - TURN_INPUT_BYTES;
  const outLimit: u32 = limit - TURN_BYTES;
  const oldest = historyStart;
  const toPlain: u32 = mode == LOGGED ? plainBias() : 0;
  const toBit: u32 = mode == LOGGED ? bitBias() + SCALE : 0;
  let log = logEnd;
  let to = out;
  let status = PROCEED;
  let next = position >> 3;
  if (next > nextLimit || to > outLimit) return PROCEED;
  let bits: u64 = (load<u64>(next) >> (position & 7)) << <u64>SCALE;
  let left: u32 = 56 + SCALE - (position & 7);
  next += 7;
  let entry = litlenEntry(entriesAt(bits));
  let saved = bits;
  let count: u32 = entry & 63;
  bits >>= <u64>count;
  left -= count;
  let at = entriesAt(bits);
  let follow = litlenEntry(at);
  do {
    if (entry < 0) {
      store<u8>(to, entry >> 16);
      to++;
      entry = follow;
      saved = bits;
      count = entry & 63;
      bits >>= <u64>count;
      left -= count;
      at = entriesAt(bits);
      follow = litlenEntry(at);
      if (entry < 0) {
        store<u8>(to, entry >> 16);
        to++;
        entry = follow;
        saved = bits;
        count = entry & 63;
        bits >>= <u64>count;
        left -= count;
        at = entriesAt(bits);
        follow = litlenEntry(at);
        if (entry < 0) {
          store<u8>(to, entry >> 16);
          to++;
          entry = follow;
          bits |= load<u64>(next) << <u64>left;
          next += (left ^ 63) >> 3;
          left |= 56;
          saved = bits;
          count = entry & 63;
          bits >>= <u64>count;
          left -= count;
          at = entriesAt(bits);
          follow = litlenEntry(at);
          continue;
        }
      }
      bits |= load<u64>(next) << <u64>left;
      next += (left ^ 63) >> 3;
      left |= 56;
    }
    let distance = distanceEntry(at);
    if ((entry | distance) & ODD) {
      // One of the two is in a subtable, or ends the block, or is none.
      if (entry & ODD) {
        if (entry & SUBTABLE) {
          bits |= load<u64>(next) << <u64>left;
          next += (left ^ 63) >> 3;
          left |= 56;
          entry = litlenSubtableEntry(entry, saved);
          count = (entry & 63) - LITLEN_BITS;
          bits >>= <u64>count;
          left -= count;
          if (entry < 0) {
            store<u8>(to, entry >> 16);
            to++;
            bits |= load<u64>(next) << <u64>left;
            next += (left ^ 63) >> 3;
            left |= 56;
            entry = litlenEntry(entriesAt(bits));
            saved = bits;
            count = entry & 63;
            bits >>= <u64>count;
            left -= count;
            at = entriesAt(bits);
            follow = litlenEntry(at);
            continue;
          }
          at = entriesAt(bits);
          follow = litlenEntry(at);
          distance = distanceEntry(at);
        }
        if (entry & ODD) {
          status = entry & END ? BLOCK_END : BAD_LITLEN_SYMBOL;
          break;
        }
      }
      if (distance & ODD) {
        if (distance & SUBTABLE) {
          distance = distanceSubtableEntry(distance, bits);
          bits |= load<u64>(next) << <u64>left;
          next += (left ^ 63) >> 3;
          left |= 56;
        }
        if (distance & ODD) {
          status = BAD_DISTANCE_SYMBOL;
          break;
        }
      }
    }
    const length = lengthOf(entry, saved);
    let from = to - distanceOf(distance, bits);
    bits >>= <u64>(distance & 63);
    left -= distance & 63;
    if (mode != PLAIN) {
      if (from < oldest) {
        status = DISTANCE_TOO_FAR;
        break;
      }
    }
    if (mode == LOGGED) {
      store<u32>(log, to + toPlain);
      store<u32>(log, (next << 3) - left + toBit, 4);
      store<u32>(log, ((to - from) << 9) | length, 8);
      log += LOG_ENTRY_BYTES;
    }
    entry = litlenEntry(entriesAt(bits));
    bits |= load<u64>(next) << <u64>left;
    next += (left ^ 63) >> 3;
    left |= 56;
    const end = to + length;
    if (to - from >= 16) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      if (end > to + 32) {
        to += 16;
        from += 16;
        do {
          to += 16;
          from += 16;
          v128.store(to, v128.load(from));
        } while (to + 16 < end);
      }
    } else {
      // The pattern of `distance` bytes is spread over 16, of which a whole number of patterns is kept.
      const pattern = v128.swizzle(v128.load(from), v128.load(PATTERNS + ((to - from) << 4)));
      const stride: u32 = load<u8>(STRIDES + (to - from));
      do {
        v128.store(to, pattern);
        to += stride;
      } while (to < end);
    }
    saved = bits;
    count = entry & 63;
    bits >>= <u64>count;
    left -= count;
    at = entriesAt(bits);
    follow = litlenEntry(at);
    to = end;
  } while (next <= nextLimit && to <= outLimit);
  // The entry begun for the next turn is not taken.
  if (status == PROCEED) left += entry & 63;
  setPosition((next << 3) - left + SCALE);
  setOut(to);
  if (mode == LOGGED) setLogEnd(log);
  return status;
}

