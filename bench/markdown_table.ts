/** Lines of a Markdown table; columns of numbers are set to the right. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  const isNumbers = (column: number) => column > 0 && rows.every((row) => /^([\d≤≥]|$)/.test(String(row[column])));
  return [line(head), line(head.map((_, column) => isNumbers(column) ? "--:" : "---")), ...rows.map(line)];
}
