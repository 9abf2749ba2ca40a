/** Readers of the large image's file that compare all they get with what it should be. */
import assert from "node:assert/strict";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { LARGE_FILE, largeFileBytes } from "./large_image.ts";

const READ_BYTES = 96 * 1024;

/** Readers at work. */
export interface ComparingReaders {
  /** How many reads there were so far. */
  count(): number;
  /** Has them stop. @throws at the first read that failed or was wrong, of any of them; or where one never read. */
  stop(): Promise<void>;
}

/** Starts readers of random places of `file`; every other one goes past the kernel's cache (O_DIRECT). */
export function startReaders(file: string, readers: number): ComparingReaders {
  const stop = new AbortController();
  const counts: number[] = new Array(readers).fill(0);
  const all = Promise.all(counts.map(async (_, reader) => {
    for (; !stop.signal.aborted; counts[reader]!++) {
      await compareOnce(file, reader % 2 === 0 ? 0 : constants.O_DIRECT);
    }
  }));
  all.catch(() => {});
  return {
    count: () => counts.reduce((sum, count) => sum + count),
    async stop() {
      stop.abort();
      await all;
      assert.ok(counts.every((count) => count > 0), `${counts}`);
    },
  };
}

async function compareOnce(file: string, flags: number): Promise<void> {
  const handle = await open(file, constants.O_RDONLY | flags);
  try {
    // Few blocks again and again, so that warm reads are among them.
    const block = Math.floor(Math.random() ** 3 * (LARGE_FILE.sizeBytes / 2 ** 20 - 1));
    const offset = block * 2 ** 20 + 4096 * Math.floor(Math.random() * 200);
    const buffer = new Uint8Array(READ_BYTES);
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, offset + filled);
      assert.ok(bytesRead > 0);
      filled += bytesRead;
    }
    assert.deepEqual(buffer, largeFileBytes(offset, READ_BYTES), `wrong bytes at ${offset}`);
  } finally {
    await handle.close();
  }
}
