/** Archives on web servers and in buckets, as far as every command has to know of them. */
import { isArchiveUrl } from "../base/mod.ts";

/** Names a URL with a login in it, or a signature, which a server is not given as an argument: all can read those. */
export const ARCHIVE_URL_VARIABLE = "CLIP_ARCHIVE_URL";

/** The name of an archive for people: of a URL without login and query, which may be secret. */
export function showArchive(text: string): string {
  if (!isArchiveUrl(text)) return text;
  try {
    const { protocol, host, pathname, search } = new URL(text);
    return `${protocol}//${host}${pathname}${search === "" ? "" : "?…"}`;
  } catch {
    return `${text.slice(0, text.indexOf("//"))}//…`;
  }
}
