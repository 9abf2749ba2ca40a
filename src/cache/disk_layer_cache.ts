import { fstatSync, futimesSync, readSync, writeSync } from "node:fs";
import { ClipError, digestAlgorithm, digestHex, messageOf } from "../base/mod.ts";
import { PRESENT, removeMaps, STAT_BLOCK_BYTES } from "./cache_folder.ts";
import type { CacheRoom, PunchableLayer } from "./cache_room.ts";
import type { LayerCache, LayerKey, LayerUse } from "./layer_cache.ts";
import { LockableFile, WHOLE_FILE } from "./lockable_file.ts";

/** Who takes a layer's files or spans away holds its lock for milliseconds; a stopped process must not stop others. */
const OPEN_TIMEOUT_MS = 2000;
const OPEN_PAUSE_MS = 2;

/** What {@linkcode DiskLayerCache} needs. */
interface DiskLayerOptions {
  readonly folder: string;
  readonly key: LayerKey;
  /** Asked before anything is written. */
  readonly room: CacheRoom | undefined;
  readonly use: LayerUse | undefined;
}

/** A layer in a folder: see `diskSpanCache`. */
export class DiskLayerCache implements LayerCache, PunchableLayer {
  readonly dataPath: string;
  readonly openPath: string;
  #key: LayerKey;
  #room: CacheRoom | undefined;
  #use: LayerUse | undefined;
  #data: LockableFile;
  #map: LockableFile;
  #mapPath: string;
  #mapByte = new Uint8Array(1);
  /** Spans that somebody is writing by himself, and how many do: absent, and yet not to be punched. */
  #admitted = new Map<number, number>();
  /** Where punching goes on: the hand of the clock. */
  #hand = 0;
  /** Whether the file has lost what this object's map does not know of. */
  #isSwept = false;

  /** Opens the layer's files, making those that are not there. @throws {Error} when it cannot. */
  constructor({ folder, key, room, use }: DiskLayerOptions) {
    this.#key = key;
    this.#room = room;
    this.#use = use;
    this.dataPath = `${folder}/${digestAlgorithm(key.diffId)}_${digestHex(key.diffId)}`;
    this.#mapPath = `${this.dataPath}.${key.partition}.map`;
    this.#data = openInUse(this.dataPath, key.plainBytes);
    this.openPath = this.#data.path;
    let map: LockableFile | undefined;
    try {
      this.#map = map = new LockableFile(this.#mapPath, { create: true });
      map.lengthen(key.spans);
    } catch (error) {
      this.#data.close();
      map?.close();
      throw error;
    }
    this.#noteUse();
    if (use !== undefined) room?.add(this);
  }

  has(span: number): boolean {
    try {
      const present = readSync(this.#map.descriptor, this.#mapByte, 0, 1, span) === 1 && this.#mapByte[0] === PRESENT;
      if (present) this.#touch(span);
      return present;
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
      if (!this.#isWhole()) throw new Error("somebody has cut it short");
      // Room is made before, never after: what `write` has written is there when it returns.
      if (this.#room?.admit(bytes.length) === false) throw new ClipError("limit", "the cache is full");
      this.#writeData(plainOffset, bytes);
      this.#mark(span, PRESENT);
      this.#touch(span);
    } catch (error) {
      const isFull = isDiskFull(error) || (error instanceof ClipError && error.code === "limit");
      const message = `cannot write to the cache file ${this.dataPath}: ${messageOf(error)}`;
      throw new ClipError(this.#room !== undefined && isFull ? "limit" : "io", message, { cause: error });
    }
  }

  #writeData(plainOffset: number, bytes: Uint8Array): void {
    for (let at = 0, isRetry = false; at < bytes.length;) {
      try {
        at += writeSync(this.#data.descriptor, bytes, at, bytes.length - at, plainOffset + at);
      } catch (error) {
        if (isRetry || !isDiskFull(error) || this.#room?.onDiskFull(bytes.length) !== true) throw error;
        // What has been written of this span is absent still, and may just have been punched.
        at = 0;
        isRetry = true;
      }
    }
  }

  admit(firstSpan: number, endSpan: number): boolean {
    try {
      if (!this.#data.isOpen || !this.#isWhole()) return false;
      let bytes = 0;
      for (let span = firstSpan; span < endSpan; span++) bytes += this.#spanBytes(span);
      if (this.#room?.admit(bytes) === false) return false;
      for (let span = firstSpan; span < endSpan; span++) {
        this.#admitted.set(span, (this.#admitted.get(span) ?? 0) + 1);
      }
      return true;
    } catch {
      return false;
    }
  }

  /** Of a layer whose user did not say where spans begin, the mean. */
  #spanBytes(span: number): number {
    const offsets = this.#use?.spanOffsets;
    if (offsets === undefined) return Math.ceil(this.#key.plainBytes / Math.max(1, this.#key.spans));
    return offsets[span + 1]! - offsets[span]!;
  }

  note(firstSpan: number, endSpan: number): boolean {
    // What is not admitted may have been punched between the writing and this.
    let isAdmitted = true;
    for (let span = firstSpan; span < endSpan; span++) isAdmitted = this.#leave(span) && isAdmitted;
    if (!isAdmitted) return false;
    try {
      if (this.#data.sizeBytes() < this.#key.plainBytes) return false;
      writeSync(
        this.#map.descriptor,
        new Uint8Array(endSpan - firstSpan).fill(PRESENT),
        0,
        endSpan - firstSpan,
        firstSpan,
      );
      for (let span = firstSpan; span < endSpan; span++) this.#touch(span);
      return true;
    } catch {
      return false; // they will be fetched again by whoever comes later
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
    this.#leave(span);
    this.#map.unlock({ start: span, length: 1 });
  }

  /** One of those who write a span does so no more; false where nobody did. */
  #leave(span: number): boolean {
    const writers = this.#admitted.get(span);
    if (writers === undefined) return false;
    if (writers > 1) this.#admitted.set(span, writers - 1);
    else this.#admitted.delete(span);
    return true;
  }

  #mark(span: number, value: number): void {
    this.#mapByte[0] = value;
    writeSync(this.#map.descriptor, this.#mapByte, 0, 1, span);
  }

  #touch(span: number): void {
    if (this.#use !== undefined) this.#use.touched[span] = 1;
  }

  punch(bytes: number): number {
    return this.#alone(() => {
      const kept = this.#keptSpans();
      const before = fstatSync(this.#data.descriptor).blocks;
      const isChosen = this.#choose(kept, bytes);
      const runs = this.#runsToPunch(kept, isChosen);
      const spans = runs.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i));
      // Absent spans too: readers may rely on one that another process has forgotten meanwhile.
      if (spans.length === 0 || !this.#use!.retire(spans)) return 0;
      if (!this.#isSwept) removeMaps(this.dataPath, this.#mapPath);
      this.#isSwept = true;
      for (const span of spans) if (isChosen[span] === 1) this.#mark(span, 0);
      const { spanOffsets } = this.#use!;
      for (const { start, end } of runs) this.#data.punch(spanOffsets[start]!, spanOffsets[end]!);
      return (before - fstatSync(this.#data.descriptor).blocks) * STAT_BLOCK_BYTES;
    }) ?? 0;
  }

  /** One byte a span, 1 where it is present or being written. */
  #keptSpans(): Uint8Array {
    const kept = new Uint8Array(this.#key.spans);
    readSync(this.#map.descriptor, kept, 0, kept.length, 0);
    for (let span = 0; span < kept.length; span++) if (kept[span] !== PRESENT) kept[span] = 0;
    for (const span of this.#admitted.keys()) kept[span] = 1;
    return kept;
  }

  /**
   * Goes round once, at most, and chooses present spans that were not touched since the last time; they are no longer
   * `kept` then. One byte a span.
   */
  #choose(kept: Uint8Array, bytes: number): Uint8Array {
    const isChosen = new Uint8Array(kept.length);
    for (let step = 0, chosenBytes = 0; step < kept.length && chosenBytes < bytes; step++) {
      const span = this.#hand;
      this.#hand = (span + 1) % kept.length;
      if (kept[span] === 0 || this.#admitted.has(span)) continue;
      if (this.#use!.touched[span] !== 0) {
        this.#use!.touched[span] = 0;
        continue;
      }
      kept[span] = 0;
      isChosen[span] = 1;
      chosenBytes += this.#spanBytes(span);
    }
    return isChosen;
  }

  /**
   * Runs of absent spans with a chosen one among them, whole: blocks that neighbours share are given back as well. The
   * first time all runs: what other maps knew of, or nobody, goes too.
   */
  #runsToPunch(kept: Uint8Array, isChosen: Uint8Array): { start: number; end: number }[] {
    const runs: { start: number; end: number }[] = [];
    for (let start = 0; start < kept.length;) {
      let end = start;
      let wanted = !this.#isSwept;
      for (; end < kept.length && kept[end] === 0; end++) wanted ||= isChosen[end] === 1;
      if (end > start && wanted) runs.push({ start, end });
      start = end + 1;
    }
    return runs;
  }

  /**
   * Whether the data file is as long as the layer. One that somebody has cut is made whole again only by who has it
   * alone and has got all readers off it: they would take the zeros for bytes that they have verified.
   */
  #isWhole(): boolean {
    const { plainBytes, spans } = this.#key;
    if (this.#data.sizeBytes() >= plainBytes) return true;
    return this.#alone(() => {
      if (this.#admitted.size > 0 || !this.#use!.retire(Array.from({ length: spans }, (_, span) => span))) return false;
      removeMaps(this.dataPath, this.#mapPath);
      for (let span = 0; span < spans; span++) this.#mark(span, 0);
      this.#data.lengthen(plainBytes);
      return true;
    }) ?? false;
  }

  /** Does something that nobody else may see half done; undefined where others use the layer, or it failed. */
  #alone<Result>(work: () => Result): Result | undefined {
    if (this.#use === undefined || this.#data.lock("exclusive", WHOLE_FILE) !== "granted") return undefined;
    try {
      return work();
    } catch {
      return undefined; // the disk refuses; nothing is marked that is not there
    } finally {
      this.#data.lock("shared", WHOLE_FILE);
    }
  }

  /** The time at which a layer was used last is that of its data file. Who reads without a use only looks after it. */
  #noteUse(): void {
    if (this.#use === undefined) return;
    try {
      const now = new Date();
      futimesSync(this.#data.descriptor, now, now);
    } catch {
      // Evicted sooner than it deserves, then.
    }
  }

  close(): void {
    if (!this.#data.isOpen) return;
    this.#room?.delete(this);
    this.#noteUse();
    this.#map.close();
    this.#data.close();
  }
}

function isDiskFull(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === "ENOSPC" || code === "EDQUOT" || /os error (28|122)\b/.test(message ?? "");
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
