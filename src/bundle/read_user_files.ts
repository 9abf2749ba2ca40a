import { ClipError } from "../base/mod.ts";
import { S_IFREG } from "../archive/mod.ts";
import type { Content } from "../content/mod.ts";
import type { UserFiles } from "./resolve_user.ts";

/** A list of users beyond that is no list of users. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** The image's lists of users and groups. Symlinks are followed inside the image. @throws {ClipError}; the signal's reason. */
export async function readUserFiles(content: Content, signal?: AbortSignal): Promise<UserFiles> {
  const [passwd, group] = ["/etc/passwd", "/etc/group"];
  return { passwd: await readText(content, passwd, signal), group: await readText(content, group, signal) };
}

/** A file of the image as text; undefined where there is no such file. Bytes that are not UTF-8 become U+FFFD. */
async function readText(content: Content, path: string, signal?: AbortSignal): Promise<string | undefined> {
  const { tree } = content.archive;
  const inode = tree.find(path);
  if (inode === undefined || tree.type(inode) !== S_IFREG) return undefined;
  const sizeBytes = tree.sizeBytes(inode);
  if (sizeBytes > MAX_FILE_BYTES) {
    throw new ClipError("limit", `the image's ${path} has ${sizeBytes} bytes; at most ${MAX_FILE_BYTES} are read`);
  }
  const bytes = new Uint8Array(sizeBytes);
  await content.read(inode, 0, sizeBytes, bytes, 0, { signal });
  return new TextDecoder().decode(bytes);
}
