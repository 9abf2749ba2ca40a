/** Longest text that is quoted: a sha512 digest fits. */
const MAX_QUOTED_LENGTH = 160;

/**
 * A value out of untrusted JSON, for messages: short whatever its size and depth, on one line, and without characters
 * that could drive a terminal.
 */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") {
    const cut = value.length > MAX_QUOTED_LENGTH;
    return escapeControls(JSON.stringify(cut ? value.slice(0, MAX_QUOTED_LENGTH) : value)) + (cut ? "…" : "");
  }
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** `text` with control characters, and the invisible ones that reorder it, as `\uNNNN`: it stays on one line. */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => {
    if (char === "\n") return "\\n";
    return [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`).join("");
  });
}
