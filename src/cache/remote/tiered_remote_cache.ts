import { Buffer } from "node:buffer";
import { sleep } from "../../base/mod.ts";
import type { RemoteCache } from "../remote_cache.ts";
import type { ContentStore } from "./content_store.ts";
import { StoreTier, type TierOptions } from "./store_tier.ts";
import type { Offer } from "./store_writer.ts";
import { ValueCoder } from "./value_coder.ts";

/** How long closing waits for what was offered. */
const CLOSE_WAIT_MS = 2000;

/** Stores one behind the other: asked in order, until one has it; those before that one are then offered it. */
export class TieredRemoteCache implements RemoteCache {
  readonly description: string;
  #tiers: readonly StoreTier[];
  #coder = new ValueCoder();
  #isClosed = false;

  /** The stores are closed with it. */
  constructor(stores: readonly ContentStore[], options: Omit<TierOptions, "coder">) {
    this.description = stores.map(({ description }) => description).join(", ");
    this.#tiers = stores.map((store) => new StoreTier(store, { ...options, coder: this.#coder }));
  }

  async get(
    sha256: Uint8Array,
    plainBytes: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    signal?.throwIfAborted();
    const key = contentKey(sha256);
    for (const [place, tier] of this.#tiers.entries()) {
      if (this.#isClosed) return undefined;
      const found = await tier.get({ key, sha256, plainBytes, keepsValue: place > 0 }, signal);
      if (found === undefined) continue;
      const { bytes, value } = found;
      if (value !== undefined) {
        const offer: Offer = { key, plainBytes, value: () => Promise.resolve(value) };
        for (const earlier of this.#tiers.slice(0, place)) earlier.offer(offer);
      }
      return bytes;
    }
    return undefined;
  }

  offer(sha256: Uint8Array, bytes: Uint8Array): void {
    let value: Promise<Uint8Array<ArrayBuffer>> | undefined;
    const encode = async () => await this.#coder.encode(bytes) ?? ownCopy(bytes);
    const offer: Offer = {
      key: contentKey(sha256),
      plainBytes: bytes.length,
      value: () => value ??= encode(),
    };
    for (const tier of this.#tiers) tier.offer(offer);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const waiting = new AbortController();
    const idle = Promise.all(this.#tiers.map((tier) => tier.idle())).finally(() => waiting.abort());
    await sleep(CLOSE_WAIT_MS, waiting.signal).catch(() => {});
    await Promise.all(this.#tiers.map((tier) => tier.close()));
    this.#coder.close();
    await idle; // what was under way has been aborted
  }
}

/** The name of a span's bytes in every store: 64 hex digits and nothing else, so that whoever has the bytes finds them. */
function contentKey(sha256: Uint8Array): string {
  return Buffer.from(sha256.buffer, sha256.byteOffset, sha256.length).toString("hex");
}

/** Requests take bytes that are not shared memory. */
function ownCopy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? bytes as Uint8Array<ArrayBuffer> : new Uint8Array(bytes);
}
