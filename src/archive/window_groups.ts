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
  #stored = new Uint8Array(WINDOW_GROUP_BYTES);
  #storedBytes = 0;
  /** The open group. */
  #plain = new Uint8Array(WINDOW_GROUP_BYTES);
  #plainBytes = 0;
  #open: { windowOffset: number; place: (group: WindowGroup, windowOffset: number) => void }[] = [];

  /** Adds a record; `place` is called once its group is closed. Nothing happens for an empty record. */
  add(record: Uint8Array, place: (group: WindowGroup, windowOffset: number) => void): void {
    if (record.length === 0) return;
    if (this.#plainBytes > 0 && this.#plainBytes + record.length > WINDOW_GROUP_BYTES) this.#close();
    this.#open.push({ windowOffset: this.#plainBytes, place });
    this.#plain = put(record, this.#plain, this.#plainBytes);
    this.#plainBytes += record.length;
  }

  /** Closes the last group; the section. */
  finish(): Uint8Array {
    if (this.#open.length > 0) this.#close();
    return this.#stored.subarray(0, this.#storedBytes);
  }

  #close(): void {
    const plain = this.#plain.subarray(0, this.#plainBytes);
    const stored = deflateRawSync(plain, { level: 9 });
    const group: WindowGroup = {
      offset: this.#storedBytes,
      storedBytes: stored.length,
      plainBytes: plain.length,
      crc32: crc32(plain) >>> 0,
    };
    for (const { windowOffset, place } of this.#open) place(group, windowOffset);
    // Copied: as it is, it would keep several times its length.
    this.#stored = put(stored, this.#stored, this.#storedBytes);
    this.#storedBytes += stored.length;
    this.#open = [];
    this.#plainBytes = 0;
  }
}

/** `all` with `bytes` at `at`: the same array, or a longer one in its place. */
function put(bytes: Uint8Array, all: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  const end = at + bytes.length;
  const room = end <= all.length ? all : new Uint8Array(all.buffer.transfer(Math.max(end, 2 * all.length)));
  room.set(bytes, at);
  return room;
}
