import { crc32, deflateRawSync } from "node:zlib";
import { WINDOW_GROUP_BYTES } from "./layout.ts";

/** Where a group of windows came to lie. */
export interface WindowGroup {
  /** In the windows section. */
  readonly offset: number;
  /** Deflated. */
  readonly storedBytes: number;
  /** Inflated. */
  readonly plainBytes: number;
  /** Of the inflated bytes. */
  readonly crc32: number;
}

/**
 * The windows section under construction. Windows are small and alike, so that several together deflate better than
 * each alone; a cold read has to inflate the whole group, so that groups are kept short.
 */
export class WindowGroups {
  #stored: Uint8Array[] = [];
  #storedBytes = 0;
  #open: { record: Uint8Array; place: (group: WindowGroup, windowOffset: number) => void }[] = [];
  #openBytes = 0;

  /** Adds a record; `place` is called once its group is closed. Nothing happens for an empty record. */
  add(record: Uint8Array, place: (group: WindowGroup, windowOffset: number) => void): void {
    if (record.length === 0) return;
    if (this.#openBytes > 0 && this.#openBytes + record.length > WINDOW_GROUP_BYTES) this.#close();
    this.#open.push({ record, place });
    this.#openBytes += record.length;
  }

  /** Closes the last group; the section. */
  finish(): Uint8Array {
    if (this.#open.length > 0) this.#close();
    return join(this.#stored, this.#storedBytes);
  }

  #close(): void {
    const plain = join(this.#open.map(({ record }) => record), this.#openBytes);
    const stored = deflateRawSync(plain, { level: 9 });
    const group: WindowGroup = {
      offset: this.#storedBytes,
      storedBytes: stored.length,
      plainBytes: plain.length,
      crc32: crc32(plain) >>> 0,
    };
    let windowOffset = 0;
    for (const { record, place } of this.#open) {
      place(group, windowOffset);
      windowOffset += record.length;
    }
    this.#stored.push(stored);
    this.#storedBytes += stored.length;
    this.#open = [];
    this.#openBytes = 0;
  }
}

function join(parts: readonly Uint8Array[], lengthBytes: number): Uint8Array {
  const joined = new Uint8Array(lengthBytes);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
