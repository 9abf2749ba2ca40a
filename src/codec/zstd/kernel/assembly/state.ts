/* What is kept from one block to the next. */
import { OUTPUT } from "./layout";

/** Where the next plain byte goes: an address. */
export let out: u32 = OUTPUT;
/** Where the bytes begin that matches may refer to: an address at or before `out`. */
export let historyStart: u32 = OUTPUT;
/** How far matches may reach back. */
export let windowBytes: u32 = 0;
/** The most that a block may make. */
export let blockLimitBytes: u32 = 0;
/** The offsets used last, newest first. */
export let recent1: u32 = 1;
export let recent2: u32 = 4;
export let recent3: u32 = 8;

export function setOut(value: u32): void {
  out = value;
}
export function setHistoryStart(value: u32): void {
  historyStart = value;
}
export function setWindow(bytes: u32, blockLimit: u32): void {
  windowBytes = bytes;
  blockLimitBytes = blockLimit;
}
export function setRecent(first: u32, second: u32, third: u32): void {
  recent1 = first;
  recent2 = second;
  recent3 = third;
}
