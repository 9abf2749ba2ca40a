/*
 * The decoder's state: wasm globals, which the loops copy to locals. Positions are absolute in linear memory, so that
 * the hot loads add no base: `position` is 8 × address + bit.
 */
import { INPUT, OUTPUT } from "./layout";

/** Before a block's header, or past the last block. */
export const AT_HEADER: u32 = 0;
/** Inside a stored block. */
export const IN_STORED: u32 = 1;
/** Inside a block of codes. */
export const IN_CODES: u32 = 2;
/** Refused: `failure` says why. */
export const FAILED: u32 = 3;

/** One of the four above. */
export let phase: u32 = AT_HEADER;
/** The next compressed bit: 8 × address + bit. */
export let position: u32 = INPUT << 3;
/** One past the last compressed byte. */
export let inputEnd: u32 = INPUT;
/** Compressed bytes that have left INPUT at its start, counted from where the last reset set it to. */
export let inputOffset: f64 = 0;
/** Where the next plain byte goes. */
export let out: u32 = OUTPUT;
/** The oldest plain byte that a match may refer to. */
export let historyStart: u32 = OUTPUT;
/** Plain bytes before OUTPUT, counted as `inputOffset`. */
export let outputOffset: f64 = 0;
/** Compressed bit offset of the current block's header, counted as `inputOffset`. */
export let headerOffset: f64 = 0;
/** Bytes left of a stored block. */
export let storedLeft: u32 = 0;
/** Whether the current or last block is the stream's last. */
export let isFinal: bool = false;
/** Status below zero. */
export let failure: i32 = 0;
/** Whether the tables hold the fixed codes. */
export let holdsFixedCodes: bool = false;
/** Whether matches are logged. */
export let isLogging: bool = false;
/** Where the next entry of the log goes. */
export let logEnd: u32 = 0;
/** The plain offset, modulo 2^32, from which on the log is complete. */
export let loggedSince: u32 = 0;
/** One past the last entry that has been tallied; 0 where there is no tally. */
export let tallied: u32 = 0;
/** The plain offset, modulo 2^32, at which the tally begins. */
export let tallyOrigin: u32 = 0;

export function setPhase(value: u32): void {
  phase = value;
}
export function setPosition(value: u32): void {
  position = value;
}
export function setInputEnd(value: u32): void {
  inputEnd = value;
}
export function setInputOffset(value: f64): void {
  inputOffset = value;
}
export function setOut(value: u32): void {
  out = value;
}
export function setHistoryStart(value: u32): void {
  historyStart = value;
}
export function setOutputOffset(value: f64): void {
  outputOffset = value;
}
export function setHeaderOffset(value: f64): void {
  headerOffset = value;
}
export function setStoredLeft(value: u32): void {
  storedLeft = value;
}
export function setFinal(value: bool): void {
  isFinal = value;
}
export function setHoldsFixedCodes(value: bool): void {
  holdsFixedCodes = value;
}
export function setIsLogging(value: bool): void {
  isLogging = value;
}
export function setLogEnd(value: u32): void {
  logEnd = value;
}
export function setLoggedSince(value: u32): void {
  loggedSince = value;
}
export function setTally(until: u32, origin: u32): void {
  tallied = until;
  tallyOrigin = origin;
}

/** Refuses the stream; returns `status`. */
export function fail(status: i32): i32 {
  phase = FAILED;
  failure = status;
  return status;
}
