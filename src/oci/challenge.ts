/** One way to log in that a WWW-Authenticate header offers. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`… */
  readonly scheme: string;
  /** By name in lower case; values unquoted. */
  readonly parameters: ReadonlyMap<string, string>;
}

const MAX_HEADER_LENGTH = 8192;
const TOKEN = /[!#$%&'*+\-.^_`|~\w]+/y;
const TOKEN68 = /[\w\-.~+/]+=*(?=\s*(?:,|$))/y;
const SPACES = /[ \t]*/y;
const COMMAS = /[ \t,]*/y;
const QUOTED = /"((?:[^"\\]|\\[^])*)"/y;

/**
 * The challenges in the value of a WWW-Authenticate header, or of several of them joined by commas, in their order.
 * What cannot be understood ends the list: a client that understands one challenge need not understand the others.
 * Source: RFC 9110, sections 11.2 and 11.6.1.
 */
export function parseChallenges(header: string | null): readonly Challenge[] {
  const text = header ?? "";
  const challenges: Challenge[] = [];
  if (text.length > MAX_HEADER_LENGTH) return challenges;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  take(COMMAS);
  while (at < text.length) {
    const scheme = take(TOKEN);
    if (scheme === null) return challenges;
    const parameters = new Map<string, string>();
    challenges.push({ scheme: scheme[0].toLowerCase(), parameters });
    take(SPACES);
    if (take(TOKEN68) !== null) {
      take(COMMAS);
      continue;
    }
    for (;;) {
      const start = at;
      const name = take(TOKEN);
      take(SPACES);
      if (name === null || text[at] !== "=") {
        // Not a parameter: the scheme of the next challenge, or nonsense that ends the list.
        at = start;
        break;
      }
      at++;
      take(SPACES);
      const quoted = take(QUOTED);
      const value = quoted === null ? take(TOKEN)?.[0] : quoted[1]!.replaceAll(/\\([^])/g, "$1");
      if (value === undefined) return challenges;
      const key = name[0].toLowerCase();
      if (!parameters.has(key)) parameters.set(key, value);
      take(COMMAS);
    }
    take(COMMAS);
  }
  return challenges;
}
