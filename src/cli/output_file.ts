/** The .clip file that a command writes. */
import { ClipError, messageOf } from "../base/mod.ts";
import { formatPlatform, type ImageReference, type Platform } from "../oci/mod.ts";

/**
 * `ubuntu-24.04.clip` for ubuntu:24.04; of a local source, the name of the file or folder. With a platform, its name as
 * well: `ubuntu-24.04-linux-arm64.clip`.
 */
export function defaultOutput(reference: ImageReference, platform?: Platform): string {
  const place = reference.transport === "docker" ? reference.repository : reference.path;
  const name = place.replace(/\/+$/, "").split("/").at(-1)!.replace(/\.tar$/, "");
  const tag = reference.tag?.split(":").at(-1);
  const safe = (name === "" || name === "." || name === ".." ? "image" : name) + (tag === undefined ? "" : `-${tag}`);
  return `${safe}${platform === undefined ? "" : `-${formatPlatform(platform).replaceAll("/", "-")}`}.clip`;
}

/** Says so before the work rather than after it. */
export async function checkOutput(output: string): Promise<void> {
  const slash = output.lastIndexOf("/");
  const folder = slash < 0 ? "." : output.slice(0, slash + 1);
  const stat = await Deno.stat(folder).catch((error) => {
    throw new ClipError("io", `cannot write ${output}: ${messageOf(error)}`, { cause: error });
  });
  if (!stat.isDirectory) throw new ClipError("io", `cannot write ${output}: ${folder} is not a directory`);
  const there = await Deno.stat(output).catch(() => undefined);
  if (there?.isDirectory) throw new ClipError("io", `cannot write ${output}: it is a directory`);
}
