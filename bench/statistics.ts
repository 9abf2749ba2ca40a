/** The value below which `share` (0 to 1) of the values lie, the nearest of them; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** The middle value; of an even number of values the upper one. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The sum divided by the number. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
