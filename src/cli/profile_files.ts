import { ClipError, type Logger, messageOf } from "../base/mod.ts";
import type { Archive, ProfileRange } from "../archive/mod.ts";
import { bindProfile, type LayerRange, MAX_PROFILE_BYTES, parseProfile } from "../content/mod.ts";

/** The profile in a file. @throws {ClipError} naming the file, and the line where something is wrong. */
export async function readProfileFile(path: string): Promise<LayerRange[]> {
  return parseProfile(await readText(path), path);
}

async function readText(path: string): Promise<string> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_PROFILE_BYTES) throw new Error(`it has ${size} bytes, a profile has ${MAX_PROFILE_BYTES} at most`);
    return await Deno.readTextFile(path);
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    const message = missing ? "it does not exist" : messageOf(error);
    throw new ClipError(missing ? "not_found" : "io", `cannot read ${path}: ${message}`, { cause: error });
  }
}

/** What the profile in `path` means for `archive`; what the image does not have is told of and left out. */
export async function readProfileFor(archive: Archive, path: string, log: Logger): Promise<readonly ProfileRange[]> {
  const { ranges, unknownLayers, outside } = bindProfile(archive, await readProfileFile(path));
  if (unknownLayers.length > 0) {
    const count = unknownLayers.length === 1 ? "a layer" : `${unknownLayers.length} layers`;
    log.warn(`${path} names ${count} that the image does not have: left out`, { layer: unknownLayers[0] });
  }
  if (outside > 0) log.warn(`${path}: ${outside} ranges reach past the end of their layer: cut`);
  return ranges;
}
