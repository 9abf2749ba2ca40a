import type { RangeSource } from "../base/mod.ts";
import { layOut, packSection } from "./encode_archive.ts";
import { SECTION_NAMES } from "./layout.ts";
import { encodeProfile, type ProfileRange } from "./profile_section.ts";
import { readSectionTable, readStored } from "./read_sections.ts";

/**
 * The archive in `source` with this profile instead of the one it had; with none where `ranges` is empty. All else stays
 * as it is, and every section is checked against its digest. The pieces follow one another in the file.
 * @throws {CorruptError}
 */
export async function withProfile(source: RangeSource, ranges: readonly ProfileRange[]): Promise<Uint8Array[]> {
  const { sections } = await readSectionTable(source);
  const packed = [];
  for (const name of SECTION_NAMES) {
    const { deflated, plainBytes, digest } = sections[name];
    packed.push({ name, deflated, plainBytes, digest, stored: await readStored(source, sections[name]) });
  }
  return layOut(ranges.length === 0 ? packed : [...packed, packSection("profile", encodeProfile(ranges))]);
}
