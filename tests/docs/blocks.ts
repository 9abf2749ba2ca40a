/** Takes examples out of documents. */

/** A block of code in a Markdown document. */
export interface Block {
  /** Behind the opening fence: `ts`, `console`…; empty for an indented block. */
  readonly language: string;
  /** Without indentation. */
  readonly text: string;
  /** Of its first line, from 1. */
  readonly line: number;
  /** What the comment right before it says; empty where there is none. */
  readonly comment: string;
}

/** The blocks of a document in order: fenced ones, and those that are indented by four spaces. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const pattern = /(?:<!-- ([^\n]*?) -->\n+)?(?:^```(\w*)\n(.*?)^```$|(?<=\n\n)((?: {4}[^\n]*\n|\n(?= {4}))+))/gms;
  for (const match of markdown.matchAll(pattern)) {
    const [all, comment = "", language = "", fenced, indented = ""] = match as unknown as [
      string,
      ...(string | undefined)[],
    ];
    const text = fenced ?? indented.replace(/^ {4}/gm, "");
    const start = fenced === undefined ? all.length - indented.length : all.indexOf("```");
    const line = markdown.slice(0, match.index + start).split("\n").length;
    blocks.push({ language, text, line, comment });
  }
  return blocks;
}

/** A command, and what it is said to print; undefined where nothing is said. */
export interface Step {
  readonly command: string;
  readonly output: string | undefined;
}

/** Whether a block holds commands that somebody could type. */
export function isTranscript({ language, text }: Block): boolean {
  if (["sh", "bash", "console"].includes(language)) return true;
  return language === "" && /^(?:\$ |(?:\w+='?\S+ )*(?:clip|deno|npx|sh|curl|docker|printf .*\| clip) )/m.test(text);
}

/** The commands of a transcript: behind `$ `, with output below; or, where no line begins so, every line. */
export function stepsOf({ text }: Block): Step[] {
  const lines = text.replace(/\\\n/g, "\\\0").split("\n").map((line) => line.replaceAll("\0", "\n"));
  if (!lines.some((line) => line.startsWith("$ "))) {
    const commands = lines.filter((line) => line.trim() !== "" && !line.startsWith("#"));
    return commands.map((command) => ({ command, output: undefined }));
  }
  const steps: { command: string; output: string | undefined }[] = [];
  for (const line of lines) {
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), output: undefined });
    else if (line.trim() !== "" && steps.length > 0) {
      const step = steps.at(-1)!;
      step.output = `${step.output ?? ""}${line}\n`;
    }
  }
  return steps;
}

/**
 * Whether `printed` is what a document shows. Numbers, digests, units and the width of blanks may be others; `…` stands
 * for anything, on a line of its own for any number of lines.
 */
export function isLike(shown: string, printed: string): boolean {
  const lines = shown.trimEnd().split("\n").map((line) => {
    if (line.trim() === "…") return "(?:.*\n)*?";
    const parts = line.trimEnd().split(
      /(…|sha256:[0-9a-f]{64}|[0-9a-f]{64}|\d[\d.,:-]*|\b(?:[KMGT]i)?B\b|\b(?:ms|s|min)\b|\s+)/,
    );
    return `${parts.map(loosen).join("")}[ ]*\n`;
  });
  return new RegExp(`^${lines.join("")}$`).test(`${printed.trimEnd()}\n`);
}

function loosen(part: string): string {
  if (part === "…") return ".*";
  if (/^(sha256:)?[0-9a-f]{64}$/.test(part)) return part.replace(/[0-9a-f]{64}$/, "[0-9a-f]{64}");
  if (/^\d/.test(part)) return "\\d[\\d.,:-]*";
  if (/^([KMGT]i)?B$/.test(part)) return "(?:[KMGT]i)?B";
  if (/^(ms|s|min)$/.test(part)) return "(?:ms|s|min)";
  if (/^\s+$/.test(part)) return "\\s+";
  return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
