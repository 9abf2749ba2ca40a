import { CorruptError } from "../base/mod.ts";
import type { SectionInfo } from "./read_sections.ts";
import type { LayerInfo } from "./model.ts";

/**
 * Where the blob of each layer begins in the file: they lie in the data section end to end, in the order of the layers,
 * but one that an earlier layer has as well is not repeated.
 * @throws {CorruptError} without a source, unless they fill the section, and equal digests have equal lengths.
 */
export function blobPlaces(
  layers: readonly Pick<LayerInfo, "digest" | "compressedBytes">[],
  data: Pick<SectionInfo, "offset" | "storedBytes">,
): number[] {
  const known = new Map<string, { offset: number; compressedBytes: number }>();
  let usedBytes = 0;
  const places = layers.map(({ digest, compressedBytes }, index) => {
    const before = known.get(digest);
    if (before === undefined) {
      const offset = data.offset + usedBytes;
      known.set(digest, { offset, compressedBytes });
      usedBytes += compressedBytes;
      if (usedBytes > data.storedBytes) {
        const expected = `at most ${data.storedBytes - (usedBytes - compressedBytes)}, what is left of the data`;
        bad(`layers[${index}].compressedBytes`, compressedBytes, expected);
      }
      return offset;
    }
    if (before.compressedBytes !== compressedBytes) {
      bad(
        `layers[${index}].compressedBytes`,
        compressedBytes,
        `${before.compressedBytes}, as of the same digest above`,
      );
    }
    return before.offset;
  });
  if (usedBytes !== data.storedBytes) bad("data section length", data.storedBytes, `${usedBytes}, that of the blobs`);
  return places;
}

function bad(field: string, actual: number, expected: string): never {
  throw new CorruptError({ subject: "archive", field, actual, expected });
}
