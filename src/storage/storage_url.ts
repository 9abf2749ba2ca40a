import { displayByteString, UsageError, utf8ToByteString } from "../base/mod.ts";

/** What a URL is of, for messages. */
export type UrlSubject = "remote cache" | "archive";

/**
 * The URL of a place that keeps things.
 * @throws {UsageError} when it is none; the message holds no credentials.
 */
export function parseStorageUrl(text: string, subject: UrlSubject): URL {
  try {
    return new URL(text);
  } catch {
    throw new UsageError(
      `${JSON.stringify(withoutCredentials(text))} is not the URL of ${subject === "archive" ? "an" : "a"} ${subject}`,
    );
  }
}

/** `url` for messages: without user, password, query and fragment. */
export function describeStorageUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}${url.search === "" ? "" : "?…"}`;
}

/** Refuses what is not understood there. @throws {UsageError} */
export function refuseParts(
  url: URL,
  subject: UrlSubject,
  parts: { query?: boolean; credentials?: string },
): void {
  const refuse = (problem: string) => {
    throw new UsageError(`${subject} ${describeStorageUrl(url)}: ${problem}`);
  };
  if (url.hostname === "") refuse("names no host");
  if (url.hash !== "") refuse("a fragment (#…) means nothing here");
  if (parts.query && url.search !== "") refuse("a query (?…) means nothing here");
  if (parts.credentials !== undefined && (url.username !== "" || url.password !== "")) refuse(parts.credentials);
}

/** The user or password of a URL as it is meant, or undefined where there is none. @throws {UsageError} */
export function decodeCredential(
  url: URL,
  subject: UrlSubject,
  part: "username" | "password",
): string | undefined {
  if (url[part] === "") return undefined;
  try {
    return decodeURIComponent(url[part]);
  } catch {
    throw new UsageError(`${subject} ${describeStorageUrl(url)}: its ${part} is not percent-encoded as it should be`);
  }
}

/** What may be a URL with credentials, without all that could be one, as one line. */
function withoutCredentials(text: string): string {
  const at = text.lastIndexOf("@");
  const scheme = /^[a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? "";
  const rest = at < 0 ? text.slice(scheme.length) : `…${text.slice(at)}`;
  return displayByteString(utf8ToByteString(`${scheme}${rest}`.replace(/\?.*/, "?…").slice(0, 200)));
}
