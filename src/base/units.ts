import { UsageError } from "./errors.ts";

/** Bytes in a KiB. */
export const KIB = 1024;
/** Bytes in a MiB. */
export const MIB = 1024 * KIB;
/** Bytes in a GiB. */
export const GIB = 1024 * MIB;

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: KIB,
  kib: KIB,
  kb: 1000,
  m: MIB,
  mib: MIB,
  mb: 1e6,
  g: GIB,
  gib: GIB,
  gb: 1e9,
  t: 1024 * GIB,
  tib: 1024 * GIB,
  tb: 1e12,
};

/**
 * The bytes meant by `512KiB`, `2M`, `1.5GiB`, `1000`: K, M, G, T alone are binary, KB, MB… decimal.
 * @throws {UsageError} when it is not a size.
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match === null ? undefined : UNITS[match[2]!.toLowerCase()];
  const bytes = unit === undefined ? NaN : Math.round(Number(match![1]) * unit);
  if (!Number.isSafeInteger(bytes)) throw new UsageError(`"${text}" is not a size; write it like 512KiB, 2MiB or 1GiB`);
  return bytes;
}

/** `bytes` for people: `0 B`, `999 B`, `1.50 KiB`, `23.1 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  // What would be rounded to 1024.0 of a unit is 1.00 of the next.
  while (Math.abs(value) >= (unit === 0 ? 1024 : 1023.95) && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 9.995 ? 2 : 1)} ${units[unit]}`;
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  "": 1000,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

/** The milliseconds meant by `500ms`, `30s`, `30`, `1.5m`, `2h`. @throws {UsageError} when it is not a duration above 0. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match === null ? undefined : DURATION_UNITS[match[2]!.toLowerCase()];
  const ms = unit === undefined ? NaN : Math.round(Number(match![1]) * unit);
  // Timers take no more.
  if (ms > 0 && ms < 2 ** 31) return ms;
  throw new UsageError(`"${text}" is not a duration; write it like 500ms, 30s or 2m`);
}

/** A duration for people: `1.5 ms`, `12 ms`, `1.34 s`, `2 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** A number of things, for people: `1 layer`, `2 layers`. @param noun One that takes an s. */
export function formatCount(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
