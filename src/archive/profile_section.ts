import { CorruptError, readU64, writeU64 } from "../base/mod.ts";
import { MAX_PROFILE_RANGES, PROFILE_RANGE, PROFILE_RANGE_BYTES } from "./layout.ts";

/** Plain bytes of a layer that a start was seen to touch. */
export interface ProfileRange {
  /** Number of the layer, 0 the lowest. */
  readonly layer: number;
  /** The first. */
  readonly plainOffset: number;
  /** The one after the last; more than `plainOffset`. */
  readonly plainEndExclusive: number;
}

/** The profile section. `ranges`: 1 to MAX_PROFILE_RANGES, in order of touch, each inside its layer. */
export function encodeProfile(ranges: readonly ProfileRange[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ranges.length * PROFILE_RANGE_BYTES);
  const view = new DataView(bytes.buffer);
  ranges.forEach(({ layer, plainOffset, plainEndExclusive }, index) => {
    const at = index * PROFILE_RANGE_BYTES;
    writeU64(view, at + PROFILE_RANGE.plainOffset.at, plainOffset);
    writeU64(view, at + PROFILE_RANGE.lengthBytes.at, plainEndExclusive - plainOffset);
    view.setUint32(at + PROFILE_RANGE.layer.at, layer, true);
  });
  return bytes;
}

/** The ranges of a profile section, each inside its layer. @throws {CorruptError} without a source. */
export function readProfile(bytes: Uint8Array, layerPlainBytes: readonly number[]): ProfileRange[] {
  const count = bytes.length / PROFILE_RANGE_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > MAX_PROFILE_RANGES) {
    bad("section length", bytes.length, `1 to ${MAX_PROFILE_RANGES} records of ${PROFILE_RANGE_BYTES} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, index) => {
    const at = index * PROFILE_RANGE_BYTES;
    const number = (field: "plainOffset" | "lengthBytes") =>
      readU64(view, at + PROFILE_RANGE[field].at, () => ({ subject: "archive", field: `profile[${index}].${field}` }));
    const layer = view.getUint32(at + PROFILE_RANGE.layer.at, true);
    const plainBytes = layerPlainBytes[layer] ??
      bad(`[${index}].layer`, layer, `below ${layerPlainBytes.length}`);
    const plainOffset = number("plainOffset");
    if (plainOffset >= plainBytes) bad(`[${index}].plainOffset`, plainOffset, `below ${plainBytes}`);
    const lengthBytes = number("lengthBytes");
    const most = plainBytes - plainOffset;
    if (lengthBytes < 1 || lengthBytes > most) bad(`[${index}].lengthBytes`, lengthBytes, `1 to ${most}`);
    const reserved = view.getUint32(at + PROFILE_RANGE.reserved.at, true);
    if (reserved !== 0) bad(`[${index}].reserved`, reserved, 0);
    return { layer, plainOffset, plainEndExclusive: plainOffset + lengthBytes };
  });
}

function bad(place: string, actual: number, expected: string | number): never {
  const field = place.startsWith("[") ? `profile${place}` : `profile ${place}`;
  throw new CorruptError({ subject: "archive", field, actual, expected });
}
