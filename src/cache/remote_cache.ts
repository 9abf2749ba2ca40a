/**
 * A cache that many machines share: the plain bytes of spans by their sha256. It is never needed: whatever is wrong with
 * it costs a log line, a metric and a pause, not a read.
 */
export interface RemoteCache {
  /** For messages; without credentials. */
  readonly description: string;
  /**
   * The bytes with that sha256 (32 bytes), `plainBytes` long, verified and the caller's own; undefined where it does not
   * have them, is too slow, broken or resting, or has something else. Rejects only with the reason of `signal`.
   */
  get(sha256: Uint8Array, plainBytes: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Offers bytes to be stored, in the background and if it can. `bytes` must not change afterwards. Never throws. */
  offer(sha256: Uint8Array, bytes: Uint8Array): void;
  /** Waits for a moment for what was offered, then lets go of connections. */
  close(): Promise<void>;
}
