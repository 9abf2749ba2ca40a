/** How many files and directories an image may have: each takes memory of whoever merges the layers. */
import { getHeapStatistics } from "node:v8";
import { ClipError } from "../base/mod.ts";

/** Unless it is said otherwise: a directory, the dearest, takes 0.7 KiB until the archive is written. */
export const DEFAULT_MAX_ENTRIES = 4_000_000;
/** What is reckoned for one; the engine ends the process where its heap is full, so that comes first. */
const HEAP_BYTES_PER_ENTRY = 1000;

/** The most entries that are taken: as many as `asked` for, or less where this process has no room for them. */
export function entryBound(asked: number = DEFAULT_MAX_ENTRIES): number {
  return Math.min(asked, Math.floor(getHeapStatistics().heap_size_limit / HEAP_BYTES_PER_ENTRY));
}

/** More files and directories than are taken. */
export class TooManyEntriesError extends ClipError {
  /** @param most How many are taken. */
  constructor(most: number) {
    super("limit", `more than ${most} files and directories (--max-entries; each takes up to 1 KB of memory)`);
  }
}
