import {
  bytesSource,
  ClipError,
  concatenate,
  type Logger,
  messageOf,
  type RangeSource,
  UsageError,
} from "../base/mod.ts";
import { type Archive, openArchive, type ProfileRange, withProfile } from "../archive/mod.ts";
import { bindProfile, type LayerRange, MAX_PROFILE_BYTES, mergeProfiles, parseProfile } from "../content/mod.ts";

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

/** A profile that was read. */
export interface NamedProfile {
  /** The file that it is in. */
  readonly path: string;
  readonly ranges: readonly LayerRange[];
}

/** The profiles in these files. @throws {ClipError} as `readProfileFile`. */
export async function readProfiles(paths: readonly string[]): Promise<NamedProfile[]> {
  return await Promise.all(paths.map(async (path) => ({ path, ranges: await readProfileFile(path) })));
}

/** An archive with profiles, in pieces that follow one another, and all that it has of them. */
export interface ProfiledArchive {
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly ranges: readonly ProfileRange[];
}

/**
 * The archive in `source` with these profiles behind what it has of them. @throws {UsageError} where they name nothing of
 * the archive; {ClipError} where there are too many ranges.
 */
export function addProfiles(
  archive: Archive,
  source: RangeSource,
  { profiles, log }: { profiles: readonly NamedProfile[]; log: Logger },
): ProfiledArchive {
  const ranges = mergeProfiles(archive, [archive.profile, ...profiles.map((profile) => bind(archive, profile, log))]);
  if (ranges.length === 0) throw new UsageError(`nothing that the profiles name is in ${archive.description}`);
  return { pieces: withProfile(source, ranges), ranges };
}

/** {@linkcode addProfiles} to an archive that is in memory, called `name`; as it is where there is none to be added. */
export async function withProfiles(
  archive: readonly Uint8Array[],
  name: string,
  added: { profiles: readonly NamedProfile[]; log: Logger },
): Promise<readonly Uint8Array[]> {
  if (added.profiles.length === 0) return archive;
  const source = bytesSource(concatenate(archive), name);
  return await Array.fromAsync(addProfiles(await openArchive(source), source, added).pieces);
}

/** What a profile means for `archive`; what the image does not have is told of and left out. */
function bind(archive: Archive, { path, ranges: named }: NamedProfile, log: Logger): readonly ProfileRange[] {
  const { ranges, unknownLayers, outside } = bindProfile(archive, named);
  if (unknownLayers.length > 0) {
    const count = unknownLayers.length === 1 ? "a layer" : `${unknownLayers.length} layers`;
    log.warn(`${path} names ${count} that the image does not have: left out`, { layer: unknownLayers[0] });
  }
  if (outside > 0) log.warn(`${path}: ${outside} ranges reach past the end of their layer: cut`);
  return ranges;
}
