import type { RangeSource } from "../base/mod.ts";
import { joinPieces, layOut, packSection } from "./encode_archive.ts";
import { SECTION_NAMES } from "./layout.ts";
import { readSection, readSectionTable, readStored } from "./read_sections.ts";

/**
 * The archive in `source` with another text for where its layers can be fetched, without the data that it may carry. All
 * else stays as it is, and every section is checked against its digest. The pieces follow one another in the file; where the text is the one that it
 * has, they are the very bytes of `source`. @throws {CorruptError}
 * @param reference A pinned image reference.
 */
export async function withSource(source: RangeSource, reference: string): Promise<Uint8Array[]> {
  const { sections, profile } = await readSectionTable(source);
  const packed = [];
  for (const name of [...SECTION_NAMES, "profile" as const]) {
    const section = name === "profile" ? profile : sections[name];
    if (section === undefined) continue;
    const { deflated, plainBytes, digest } = section;
    packed.push({ name, deflated, plainBytes, digest, stored: await readStored(source, section) });
  }
  const image = JSON.parse(new TextDecoder().decode((await readSection(source, sections.image)).slice()));
  if (image.source === reference) return joinPieces(layOut(packed));
  const changed = new TextEncoder().encode(JSON.stringify({ ...image, source: reference }));
  return joinPieces(
    layOut(packed.map((section) => section.name === "image" ? packSection("image", changed) : section)),
  );
}
