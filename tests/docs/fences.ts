/** Takes examples out of documents. */

/** A fenced block of a Markdown document. */
export interface Fence {
  /** Behind the opening fence: `ts`, `sh`… */
  readonly language: string;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  /** What the comment right before it says; empty where there is none. */
  readonly comment: string;
}

/** The fenced blocks of a document, in order. */
export function fencesOf(markdown: string): Fence[] {
  const fences: Fence[] = [];
  const pattern = /(?:<!-- ([^\n]*?) -->\n+)?^```(\w*)\n(.*?)^```$/gms;
  for (const match of markdown.matchAll(pattern)) {
    const [all, comment = "", language, text] = match as unknown as [string, string | undefined, string, string];
    const line = markdown.slice(0, match.index + all.indexOf("```")).split("\n").length;
    fences.push({ language, text, line, comment });
  }
  return fences;
}
