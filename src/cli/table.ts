/** Tables for people. */
import { formatDuration } from "../base/mod.ts";

/** The first column to the left, the others to the right, but for one whose head begins with a blank. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) => {
    const cells = row.map((cell, column) => {
      const toTheLeft = column === 0 || head[column]!.startsWith(" ");
      return toTheLeft ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
    });
    return `${cells.join("  ").trimEnd()}\n`;
  }).join("");
}

/** How long something has been up, in two units at most. */
export function shownUptime(uptimeSeconds: number): string {
  const [days, hours] = [Math.floor(uptimeSeconds / 86_400), Math.floor(uptimeSeconds / 3600) % 24];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${Math.floor(uptimeSeconds / 60) % 60} min`;
  return formatDuration(uptimeSeconds * 1000);
}
