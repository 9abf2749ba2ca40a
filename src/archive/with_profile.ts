import { assert, type RangeSource } from "../base/mod.ts";
import { layOut, type PackedSection, packSection } from "./encode_archive.ts";
import { SECTION_NAMES } from "./layout.ts";
import { encodeProfile, type ProfileRange } from "./profile_section.ts";
import { readSectionTable, readStored, type SectionInfo } from "./read_sections.ts";

/**
 * The archive in `source` with this profile instead of the one it had; with none where `ranges` is empty. All else stays
 * as it is, and every section is checked against its digest, but for the data that it may carry, which are passed on.
 * The pieces follow one another in the file. @throws {CorruptError}
 */
export async function* withProfile(source: RangeSource, ranges: readonly ProfileRange[]): AsyncGenerator<Uint8Array> {
  const table = await readSectionTable(source);
  const sections = await readPackedSections(source, SECTION_NAMES.map((name) => table.sections[name]));
  if (ranges.length > 0) sections.push(packSection("profile", encodeProfile(ranges)));
  const { data } = table;
  const { head, rest } = layOut(sections, data);
  yield* head;
  if (data !== undefined) {
    yield* source.stream({ offset: data.offset, endExclusive: data.offset + data.storedBytes });
  }
  yield* rest;
}

/** These sections, none of which is `data`, as `source` holds them, checked against their digests. @throws {CorruptError} */
export async function readPackedSections(
  source: RangeSource,
  sections: readonly SectionInfo[],
): Promise<PackedSection[]> {
  const packed: PackedSection[] = [];
  for (const section of sections) {
    const { name, deflated, plainBytes, digest } = section;
    assert(name !== "data", "data are passed on, not held");
    packed.push({ name, deflated, plainBytes, digest, stored: await readStored(source, section) });
  }
  return packed;
}
