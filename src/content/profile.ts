/**
 * Profiles: what a start touches of an image, in order. As text, for people and programs to keep and to pass on:
 *
 *     {"clipProfile":1}
 *     {"diffId":"sha256:…","ranges":[[0,2097152],[4194304,6291456]]}
 *
 * A line is one layer's ranges of plain bytes, [first, one after the last); a layer may have several lines, as the order
 * is that of the first touch. Layers go by their diffId and ranges by bytes, so that a profile outlives the archive it
 * was recorded with: another spacing, another compression, another image with the same layers.
 */
import { ClipError, CorruptError, type Digest, KIB, parseDigest } from "../base/mod.ts";
import { type Archive, MAX_PROFILE_RANGES, type ProfileRange } from "../archive/mod.ts";
import { SpanMarks } from "./span_marks.ts";

const PROFILE_VERSION = 1;
/** Ranges in a line: lines stay short enough to be read and compared. */
const RANGES_A_LINE = 16;
/** Longest profile that is read: MAX_PROFILE_RANGES ranges, a line each. */
export const MAX_PROFILE_BYTES: number = MAX_PROFILE_RANGES * 256;

/** A hole that is shorter is decoded sooner than a further place is made to start at: the length of a span, about. */
const NEAR_BYTES = 256 * KIB;

/** Plain bytes of a layer, whatever archive knows it. */
export interface LayerRange {
  /** Digest of the plain layer. */
  readonly diffId: Digest;
  /** The first byte. */
  readonly plainOffset: number;
  /** The one after the last; more than `plainOffset`. */
  readonly plainEndExclusive: number;
}

/** The text of a profile. */
export function formatProfile(ranges: readonly LayerRange[]): string {
  const lines = [JSON.stringify({ clipProfile: PROFILE_VERSION })];
  for (let at = 0; at < ranges.length;) {
    const { diffId } = ranges[at]!;
    const line: [number, number][] = [];
    for (; ranges[at]?.diffId === diffId && line.length < RANGES_A_LINE; at++) {
      line.push([ranges[at]!.plainOffset, ranges[at]!.plainEndExclusive]);
    }
    lines.push(JSON.stringify({ diffId, ranges: line }));
  }
  return `${lines.join("\n")}\n`;
}

/**
 * The ranges of a profile, in order. `source` names it in errors.
 * @throws {CorruptError} naming the line; {ClipError} `unsupported` for a later version, `limit` for too many ranges.
 */
export function parseProfile(text: string, source: string): LayerRange[] {
  const lines = text.split("\n");
  checkHead(parseLine(lines[0]!, 1, source), source);
  const ranges: LayerRange[] = [];
  for (let number = 2; number <= lines.length; number++) {
    if (lines[number - 1] === "") continue;
    const line = parseLine(lines[number - 1]!, number, source);
    const diffId = parseDigest(line["diffId"], { subject: "profile", field: `diffId in line ${number}`, source });
    const list = line["ranges"];
    if (!Array.isArray(list)) return bad(source, `ranges in line ${number}`, "a list of [first, one after the last]");
    if (ranges.length + list.length > MAX_PROFILE_RANGES) {
      throw new ClipError("limit", `${source}: more than ${MAX_PROFILE_RANGES} ranges`);
    }
    for (const range of list) ranges.push({ diffId, ...readRange(range, number, source) });
  }
  return ranges;
}

function parseLine(line: string, number: number, source: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  const expected = number === 1 ? '{"clipProfile":1}: this is no profile' : "a JSON object";
  return bad(source, `line ${number}`, expected);
}

function checkHead(head: Record<string, unknown>, source: string): void {
  const version = head["clipProfile"];
  if (version === PROFILE_VERSION) return;
  if (typeof version !== "number") bad(source, "line 1", `{"clipProfile":${PROFILE_VERSION}}: this is no profile`);
  const message = `${source}: profile version ${version}, this clip reads ${PROFILE_VERSION}`;
  throw new ClipError("unsupported", message);
}

function readRange(range: unknown, number: number, source: string): Omit<LayerRange, "diffId"> {
  const [plainOffset, plainEndExclusive] = Array.isArray(range) && range.length === 2 ? range as unknown[] : [];
  const isOffset = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (isOffset(plainOffset) && isOffset(plainEndExclusive) && plainOffset < plainEndExclusive) {
    return { plainOffset, plainEndExclusive };
  }
  return bad(source, `range in line ${number}`, "[first, one after the last], whole and ascending");
}

function bad(source: string, field: string, expected: string): never {
  throw new CorruptError({ subject: "profile", source, field, expected });
}

/** What a profile means for an archive. */
export interface BoundProfile {
  /** In order, each inside its layer. */
  readonly ranges: readonly ProfileRange[];
  /** Layers that the archive does not have: their ranges are left out. */
  readonly unknownLayers: readonly Digest[];
  /** How many ranges reach past the end of their layer: what is past it is left out. */
  readonly outside: number;
}

/** Translates a profile for `archive`. Of layers that the image holds twice the lowest is taken: they share a cache. */
export function bindProfile(archive: Archive, profile: readonly LayerRange[]): BoundProfile {
  const layers = new Map<Digest, number>();
  archive.image.layers.forEach(({ diffId }, layer) => {
    if (!layers.has(diffId)) layers.set(diffId, layer);
  });
  const unknown = new Set<Digest>();
  const ranges: ProfileRange[] = [];
  let outside = 0;
  for (const { diffId, plainOffset, plainEndExclusive } of profile) {
    const layer = layers.get(diffId);
    if (layer === undefined) {
      unknown.add(diffId);
      continue;
    }
    const { plainBytes } = archive.image.layers[layer]!;
    if (plainEndExclusive > plainBytes) outside++;
    if (plainOffset >= plainBytes) continue;
    ranges.push({ layer, plainOffset, plainEndExclusive: Math.min(plainEndExclusive, plainBytes) });
  }
  return { ranges, unknownLayers: [...unknown], outside };
}

/** The profile that `archive` holds, as one that stands for itself. */
export function profileOf(archive: Archive): LayerRange[] {
  return archive.profile.map(({ layer, plainOffset, plainEndExclusive }) => {
    return { diffId: archive.image.layers[layer]!.diffId, plainOffset, plainEndExclusive };
  });
}

/**
 * The ranges of profiles that follow one another, without those that touch no span that a range before did not.
 * @throws {ClipError} `limit` where too many are left for an archive.
 */
export function mergeProfiles(archive: Archive, profiles: Iterable<readonly ProfileRange[]>): ProfileRange[] {
  const { layers } = archive;
  const marks = new SpanMarks(layers.firstSpan[layers.layerCount]!);
  const merged: ProfileRange[] = [];
  for (const ranges of profiles) {
    for (const range of ranges) {
      const first = layers.spanAt(range.layer, range.plainOffset);
      const end = layers.spanAt(range.layer, range.plainEndExclusive - 1) + 1;
      if ([...marks.take(first, end)].length > 0) merged.push(range);
    }
  }
  if (merged.length <= MAX_PROFILE_RANGES) return merged;
  throw new ClipError("limit", `the profiles have ${merged.length} ranges, an archive holds ${MAX_PROFILE_RANGES}`);
}

/**
 * Where checkpoints serve a profile best, by diffId: plain offsets, ascending, at which a range begins that lies not just
 * behind another. From there on nothing is fetched and decoded in vain.
 */
export function profileStarts(profile: readonly LayerRange[]): Map<Digest, number[]> {
  const starts = new Map<Digest, number[]>();
  const byPlace = profile.toSorted((a, b) => a.plainOffset - b.plainOffset);
  for (const diffId of new Set(profile.map(({ diffId }) => diffId))) {
    const found: number[] = [];
    let endExclusive = 0;
    for (const range of byPlace) {
      if (range.diffId !== diffId) continue;
      if (range.plainOffset >= endExclusive + NEAR_BYTES) found.push(range.plainOffset);
      endExclusive = Math.max(endExclusive, range.plainEndExclusive);
    }
    starts.set(diffId, found);
  }
  return starts;
}
