import type { Environment } from "../../storage/mod.ts";

/**
 * A place that keeps values by name for many machines. It knows nothing of digests, deadlines or pauses: those are
 * {@linkcode StoreTier}'s. Every call ends soon after its signal is aborted.
 */
export interface ContentStore {
  /** For messages; without credentials. */
  readonly description: string;
  /**
   * The value; undefined where there is none. The bytes are the caller's own.
   * @throws {ClipError} `limit` when it has more than `maxBytes`, of which not many more are read. @throws the reason of
   * `signal`, and anything else when the store cannot be asked.
   */
  get(key: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Whether there is a value. @throws as `get`. */
  has(key: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Keeps a value, in place of one that is there.
   * @throws {ClipError} `denied` or `limit` when the store takes no writes, which says nothing of reads: no permission,
   * no room. @throws as `get`.
   */
  put(key: string, value: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void>;
  /** Begins to connect in the background, where connecting takes time; otherwise the first call does. */
  connect?(): void;
  /** Lets go of connections, which may take a moment; what is under way fails. */
  close(): Promise<void>;
}

/**
 * What makes a store out of its URL. Nothing is connected yet.
 * @throws {UsageError} when the URL says too little, or what the store does not know.
 */
export type OpenStore = (url: URL, env: Environment) => ContentStore;
