import { closeSync, constants, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { ClipError, digestAlgorithm, digestHex, messageOf } from "../base/mod.ts";
import type { LayerCache, LayerKey, SpanCache } from "./layer_cache.ts";

/** In place of a descriptor: no system call accepts it. */
const CLOSED = -1;
/** Marks a span as present in a map file. */
const PRESENT = 1;

/**
 * Layers in a folder, shared by all processes of the machine that use it: for each a sparse file
 * `sha256_<diffId hex>` with the plain bytes at their own offsets, and beside it `<that>.<partition>.map`, one byte a
 * span. Writers need no lock: all of them write the same verified bytes to the same place, and a byte of the map is
 * written after the data it vouches for.
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
  #data: number;
  #map: number;
  #mapByte = new Uint8Array(1);

  constructor(folder: string, key: LayerKey) {
    this.dataPath = `${folder}/${digestAlgorithm(key.diffId)}_${digestHex(key.diffId)}`;
    const flags = constants.O_RDWR | constants.O_CREAT;
    this.#data = openSync(this.dataPath, flags, 0o600);
    let map: number | undefined;
    try {
      this.#map = map = openSync(`${this.dataPath}.${key.partition}.map`, flags, 0o600);
      if (fstatSync(this.#data).size < key.plainBytes) ftruncateSync(this.#data, key.plainBytes);
      if (fstatSync(this.#map).size < key.spans) ftruncateSync(this.#map, key.spans);
    } catch (error) {
      closeSync(this.#data);
      if (map !== undefined) closeSync(map);
      throw error;
    }
  }

  has(span: number): boolean {
    try {
      return readSync(this.#map, this.#mapByte, 0, 1, span) === 1 && this.#mapByte[0] === PRESENT;
    } catch {
      return false; // a disk that cannot be read holds nothing
    }
  }

  read(plainOffset: number, target: Uint8Array): boolean {
    try {
      for (let at = 0; at < target.length;) {
        const bytes = readSync(this.#data, target, at, target.length - at, plainOffset + at);
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
        at += writeSync(this.#data, bytes, at, bytes.length - at, plainOffset + at);
      }
      this.#mark(span, PRESENT);
    } catch (error) {
      throw new ClipError("io", `cannot write to the cache file ${this.dataPath}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  admit(_span: number): boolean {
    return this.#data !== CLOSED;
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

  claim(_span: number): boolean {
    return true;
  }

  release(_span: number): void {}

  #mark(span: number, value: number): void {
    this.#mapByte[0] = value;
    writeSync(this.#map, this.#mapByte, 0, 1, span);
  }

  close(): void {
    const [data, map] = [this.#data, this.#map];
    // Numbers of closed descriptors are given out again: a late write must not find the file that has one of them now.
    this.#data = this.#map = CLOSED;
    for (const descriptor of [data, map]) if (descriptor !== CLOSED) closeSync(descriptor);
  }
}
