import type { RangeSource } from "../base/mod.ts";
import { joinPieces, layOut, packSection } from "./encode_archive.ts";
import { readSection, readSectionTable } from "./read_sections.ts";
import { readPackedSections } from "./with_profile.ts";

/**
 * The archive in `source` with another text for where its layers can be fetched, and without the data that it may carry.
 * All else stays as it is, and every section is checked against its digest. The pieces follow one another in the file.
 * @param reference A pinned image reference. @throws {CorruptError}
 */
export async function withSource(source: RangeSource, reference: string): Promise<Uint8Array[]> {
  const table = await readSectionTable(source);
  const sections = [...Object.values(table.sections), ...(table.profile === undefined ? [] : [table.profile])];
  const packed = await readPackedSections(source, sections);
  const image = JSON.parse(new TextDecoder().decode((await readSection(source, table.sections.image)).slice()));
  if (image.source === reference) return joinPieces(layOut(packed));
  const changed = packSection("image", new TextEncoder().encode(JSON.stringify({ ...image, source: reference })));
  return joinPieces(layOut(packed.map((section) => section.name === "image" ? changed : section)));
}
