/** What reading has cost so far. Bytes and calls since the content was opened. */
export interface ContentCounters {
  /** Requests for ranges of blobs. */
  requests: number;
  /** Compressed bytes asked for. */
  fetchedBytes: number;
  /** Plain bytes that came out of decoders. */
  decodedBytes: number;
  /** Spans decoded and verified. */
  decodedSpans: number;
  /** Spans found in the cache and verified. */
  cachedSpans: number;
  /** Plain bytes handed to readers through Content. */
  servedBytes: number;
}

/** All zero. */
export function newCounters(): ContentCounters {
  return { requests: 0, fetchedBytes: 0, decodedBytes: 0, decodedSpans: 0, cachedSpans: 0, servedBytes: 0 };
}
