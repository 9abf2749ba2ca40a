import { formatBytes, formatDuration, shortDigest } from "../base/mod.ts";
import type { LayerProgress } from "../indexer/mod.ts";
import type { PackProgress } from "../pack/mod.ts";
import type { Io } from "./io.ts";

/** How progress is shown: bars on a terminal, a line now and then, a JSON event a line, not at all. */
export const PROGRESS_MODES = ["auto", "plain", "json", "none"] as const;

/** One of {@linkcode PROGRESS_MODES}. */
export type ProgressMode = (typeof PROGRESS_MODES)[number];

const BARS_EVERY_MS = 100;
const LINES_EVERY_MS = 2000;
const BAR_CELLS = 24;

/** Shows how far the layers have come. */
export interface ProgressView {
  readonly onProgress: (progress: LayerProgress) => void;
  /** Takes bars off the screen; to be called at least once. */
  end(): void;
}

/** The view of a mode. `auto` draws bars that redraw themselves on a terminal, and is `plain` elsewhere. */
export function createProgress(mode: ProgressMode, io: Io): ProgressView {
  if (mode === "json") return { onProgress: (progress) => io.err(`${JSON.stringify(progress)}\n`), end: () => {} };
  if (mode === "none") return { onProgress: () => {}, end: () => {} };
  return mode === "auto" && io.terminal !== undefined ? barView(io, io.terminal.columns) : plainView(io);
}

/** Shows on one line how far something has come. */
export interface LineProgressView<Progress extends readonly unknown[]> {
  readonly onProgress: (...progress: Progress) => void;
  /** Takes the line off the screen; may be called twice. */
  end(): void;
}

/** The view of a mode: a line that is written over on a terminal, a line every two seconds, JSON events, or nothing. */
export function createSpanProgress(mode: ProgressMode, io: Io): LineProgressView<[done: number, all: number]> {
  return createLineProgress<[number, number]>(mode, io, {
    event: (doneSpans, spans) => ({ doneSpans, spans }),
    line: (doneSpans, spans) => `${doneSpans} of ${spans} spans`,
    isLast: (doneSpans, spans) => doneSpans >= spans,
  });
}

/** The same for bytes of files. */
export function createBytesProgress(mode: ProgressMode, io: Io): LineProgressView<[done: number, all: number]> {
  return createLineProgress<[number, number]>(mode, io, {
    event: (doneBytes, bytes) => ({ doneBytes, bytes }),
    line: (doneBytes, bytes) => `${formatBytes(doneBytes)} of ${formatBytes(bytes)}`,
    isLast: (doneBytes, bytes) => doneBytes >= bytes,
  });
}

/** The same for a directory being packed, of which nobody knows how much there is. */
export function createPackProgress(mode: ProgressMode, io: Io): LineProgressView<[progress: PackProgress]> {
  return createLineProgress<[PackProgress]>(mode, io, {
    event: (progress) => progress,
    line: ({ entries, readBytes, packedBytes }) =>
      `${entries} entries, ${formatBytes(readBytes)} read, ${formatBytes(packedBytes)} packed`,
    isLast: () => false,
  });
}

/** How progress is told. */
interface LineTexts<Progress extends readonly unknown[]> {
  readonly event: (...progress: Progress) => unknown;
  readonly line: (...progress: Progress) => string;
  /** What comes last is told at once, but as no line of its own. */
  readonly isLast: (...progress: Progress) => boolean;
}

function createLineProgress<Progress extends readonly unknown[]>(
  mode: ProgressMode,
  io: Io,
  { event, line, isLast }: LineTexts<Progress>,
): LineProgressView<Progress> {
  const live = mode === "auto" && io.terminal !== undefined;
  const everyMs = live ? BARS_EVERY_MS : LINES_EVERY_MS;
  let lastMs = live ? -Infinity : performance.now();
  let isShown = false;
  return {
    onProgress(...progress) {
      const isOver = isLast(...progress);
      if (mode === "none" || (!isOver && performance.now() - lastMs < everyMs)) return;
      lastMs = performance.now();
      isShown = live;
      if (mode === "json") io.err(`${JSON.stringify(event(...progress))}\n`);
      else if (live) io.err(`\r${line(...progress)}\x1b[K`);
      else if (!isOver) io.err(`${line(...progress)}\n`);
    },
    end() {
      if (isShown) io.err("\r\x1b[K");
      isShown = false;
    },
  };
}

/** A line a layer when it begins, every two seconds, and when it is done. */
function plainView(io: Io): ProgressView {
  const last = new Map<number, number>();
  const started = performance.now();
  return {
    onProgress(progress) {
      const now = performance.now();
      const before = last.get(progress.layer);
      if (!progress.done && before !== undefined && now - before < LINES_EVERY_MS) return;
      last.set(progress.layer, now);
      io.err(`${describe(progress, now - started)}\n`);
    },
    end() {},
  };
}

function describe(progress: LayerProgress, elapsedMs: number): string {
  const { layer, digest, compressedBytes, totalBytes, plainBytes, done, reused } = progress;
  const name = `layer ${layer} ${shortDigest(digest)}`;
  if (reused) return `${name}: reused, ${formatBytes(totalBytes)} (${formatBytes(plainBytes)} unpacked)`;
  if (done) return `${name}: done, ${formatBytes(totalBytes)} (${formatBytes(plainBytes)} unpacked)`;
  return `${name}: ${formatBytes(compressedBytes)} of ${formatBytes(totalBytes)}${rate(progress, elapsedMs)}`;
}

function rate({ compressedBytes, totalBytes }: LayerProgress, elapsedMs: number): string {
  if (elapsedMs < 500 || compressedBytes === 0) return "";
  const perMs = compressedBytes / elapsedMs;
  return `, ${formatBytes(perMs * 1000)}/s, ${formatDuration((totalBytes - compressedBytes) / perMs)} left`;
}

/** A bar a layer, redrawn in place. */
function barView(io: Io, columns: number): ProgressView {
  const layers = new Map<number, { progress: LayerProgress; startedMs: number }>();
  let drawn = 0;
  let lastMs = -Infinity;
  const erase = () => drawn === 0 ? "" : `\x1b[${drawn}A\x1b[J`;
  const draw = () => {
    const now = performance.now();
    const rows = [...layers.values()].sort((a, b) => a.progress.layer - b.progress.layer);
    const lines = rows.map(({ progress, startedMs }) => bar(progress, now - startedMs).slice(0, columns - 1));
    io.err(`${erase()}${lines.map((line) => `${line}\n`).join("")}`);
    drawn = lines.length;
    lastMs = now;
  };
  return {
    onProgress(progress) {
      const startedMs = layers.get(progress.layer)?.startedMs ?? performance.now();
      layers.set(progress.layer, { progress, startedMs });
      if (progress.done || performance.now() - lastMs >= BARS_EVERY_MS) draw();
    },
    end() {
      io.err(erase());
      drawn = 0;
    },
  };
}

function bar(progress: LayerProgress, elapsedMs: number): string {
  const { digest, compressedBytes, totalBytes, done, reused } = progress;
  const share = totalBytes === 0 || reused ? 1 : compressedBytes / totalBytes;
  const cells = Math.min(BAR_CELLS, Math.floor(share * BAR_CELLS));
  const drawing = `[${"█".repeat(cells)}${"░".repeat(BAR_CELLS - cells)}]`;
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const tail = reused ? " reused" : done ? " done" : rate(progress, elapsedMs);
  return `${shortDigest(digest)} ${drawing} ${percent} % of ${formatBytes(totalBytes)}${tail}`;
}
