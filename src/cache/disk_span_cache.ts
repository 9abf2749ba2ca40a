import { mkdirSync, readSync, writeSync } from "node:fs";
import { ClipError, digestAlgorithm, digestHex, messageOf } from "../base/mod.ts";
import type { LayerCache, LayerKey, SpanCache } from "./layer_cache.ts";
import { LockableFile, WHOLE_FILE } from "./lockable_file.ts";

/** Marks a span as present in a map file. */
const PRESENT = 1;
/** Who takes a layer's files or spans away holds its lock for milliseconds; a stopped process must not stop others. */
const OPEN_TIMEOUT_MS = 2000;
const OPEN_PAUSE_MS = 2;

/**
 * Layers in a folder, shared by all processes of the machine that use it: for each a sparse file
 * `sha256_<diffId hex>` with the plain bytes at their own offsets, and beside it `<that>.<partition>.map`, one byte a
 * span. Writers need no lock: all of them write the same verified bytes to the same place, and a byte of the map is
 * written after the data it vouches for.
 *
 * Locks are those of {@linkcode LockableFile}: a shared one on the whole of the data file says that the layer is in use,
 * and whoever takes files or bytes away needs an exclusive one first; one on byte N of a map is the claim of span N.
 */
export function diskSpanCache(folder: string): SpanCache {
  return {
    description: folder,
    openLayer(key) {
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        return new DiskLayerCache(folder, key);
      } catch (error) {
        throw new ClipError("io", `cannot use the cache folder ${folder}: ${messageOf(error)}`, { cause: error });
      }
    },
  };
}

class DiskLayerCache implements LayerCache {
  readonly dataPath: string;
  readonly openPath: string;
  #data: LockableFile;
  #map: LockableFile;
  #mapByte = new Uint8Array(1);

  constructor(folder: string, key: LayerKey) {
    this.dataPath = `${folder}/${digestAlgorithm(key.diffId)}_${digestHex(key.diffId)}`;
    this.#data = openInUse(this.dataPath, key.plainBytes);
    this.openPath = this.#data.path;
    let map: LockableFile | undefined;
    try {
      this.#map = map = new LockableFile(`${this.dataPath}.${key.partition}.map`, { create: true });
      map.lengthen(key.spans);
    } catch (error) {
      this.#data.close();
      map?.close();
      throw error;
    }
  }

  has(span: number): boolean {
    try {
      return readSync(this.#map.descriptor, this.#mapByte, 0, 1, span) === 1 && this.#mapByte[0] === PRESENT;
    } catch {
      return false; // a disk that cannot be read holds nothing
    }
  }

  read(plainOffset: number, target: Uint8Array): boolean {
    try {
      for (let at = 0; at < target.length;) {
        const bytes = readSync(this.#data.descriptor, target, at, target.length - at, plainOffset + at);
        if (bytes === 0) return false;
        at += bytes;
      }
      return true;
    } catch {
      return false; // as in `has`; the bytes can be fetched again
    }
  }

  write(span: number, plainOffset: number, bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) {
        at += writeSync(this.#data.descriptor, bytes, at, bytes.length - at, plainOffset + at);
      }
      this.#mark(span, PRESENT);
    } catch (error) {
      throw new ClipError("io", `cannot write to the cache file ${this.dataPath}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  admit(_span: number): boolean {
    return this.#data.isOpen;
  }

  note(span: number): void {
    try {
      this.#mark(span, PRESENT);
    } catch {
      // It will be fetched again by whoever comes later.
    }
  }

  forget(span: number): void {
    try {
      this.#mark(span, 0);
    } catch {
      // The note stays, the span is verified again before its next use, and fails again: slower, never wrong.
    }
  }

  claim(span: number): boolean {
    return this.#map.lock("exclusive", { start: span, length: 1 }) !== "held";
  }

  release(span: number): void {
    this.#map.unlock({ start: span, length: 1 });
  }

  #mark(span: number, value: number): void {
    this.#mapByte[0] = value;
    writeSync(this.#map.descriptor, this.#mapByte, 0, 1, span);
  }

  close(): void {
    this.#map.close();
    this.#data.close();
  }
}

/**
 * The layer's data file, made where there is none, as long as the layer, and marked as in use: nobody takes it away from
 * now on. Its length is set by who has it alone: elsewhere bytes may be relied on that a cut has taken away, and that
 * would be zeros in a file made longer again.
 */
function openInUse(path: string, plainBytes: number): LockableFile {
  for (const deadline = Date.now() + OPEN_TIMEOUT_MS;;) {
    const file = new LockableFile(path, { create: true });
    try {
      const isShort = file.sizeBytes() < plainBytes;
      const isHeld = file.lock(isShort ? "exclusive" : "shared", WHOLE_FILE) === "held";
      // It may have been removed between the opening and the lock: its name is another file's now, or nobody's.
      if (!isHeld && file.isAt(path)) {
        if (!isShort && file.sizeBytes() >= plainBytes) return file;
        file.lengthen(plainBytes);
        if (file.lock("shared", WHOLE_FILE) !== "held") return file;
      }
      if (Date.now() > deadline) throw new ClipError("io", `somebody holds on to ${path}`);
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OPEN_PAUSE_MS);
  }
}
