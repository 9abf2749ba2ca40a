/* Which bytes before its start a block refers to: what a decoder that starts at the block has to be given. */
import { LOG } from "./layout";

let isLogging: bool = false;
/** Matches that begin before this address are logged; 0 when none are. */
export let logBefore: u32 = 0;
let logEnd: u32 = LOG;

export function setLogging(on: bool): void {
  isLogging = on;
}

/** A block begins at the address `start`. */
export function beginLog(start: u32): void {
  logEnd = LOG;
  logBefore = isLogging ? start : 0;
}

/** Notes a match that begins before the block. */
@inline
export function log(from: u32, bytes: u32): void {
  const distance = logBefore - from;
  store<u32>(logEnd, distance);
  store<u32>(logEnd, min(bytes, distance), 4);
  logEnd += 8;
}

/** How many references of the last block are logged. */
export function loggedCount(): u32 {
  return (logEnd - LOG) >> 3;
}
