import { FORMAT_VERSION } from "../archive/mod.ts";
import type { Descriptor } from "../oci/mod.ts";
import { type ArchiveFacts, readFacts } from "./archive_artifact.ts";

/** Which archive is wanted of an image that has several. */
export interface Wanted {
  /** Others are passed over; undefined: any will do. */
  readonly strategy?: string | undefined;
  /** Those made with just these options come first. */
  readonly options?: {
    readonly strategy: string;
    readonly spacingBytes: number;
    readonly fileCheckpointBytes: number | null;
  };
}

/**
 * Those of the list that may serve, best first: of a format that this clip reads; made with the options that are wanted;
 * with a profile; pushed later, as far as that is told. What the annotations do not tell is no reason to leave one out.
 */
export function chooseArchives(entries: readonly Descriptor[], wanted: Wanted): readonly Descriptor[] {
  const known = entries.map((entry, place) => ({ entry, place, facts: readFacts(entry.annotations) }));
  const fitting = known.filter(({ facts: { formatVersion, strategy } }) =>
    (formatVersion === undefined || formatVersion === FORMAT_VERSION) &&
    (wanted.strategy === undefined || strategy === undefined || strategy === wanted.strategy)
  );
  const score = (facts: ArchiveFacts) =>
    (facts.formatVersion === FORMAT_VERSION ? 4 : 0) + (hasOptions(facts, wanted) ? 2 : 0) +
    ((facts.profileRanges ?? 0) > 0 ? 1 : 0);
  const later = (one: string | undefined, other: string | undefined) => (other ?? "") < (one ?? "") ? -1 : 1;
  return fitting.sort((one, other) => {
    const byScore = score(other.facts) - score(one.facts);
    if (byScore !== 0) return byScore;
    return one.facts.created === other.facts.created
      ? other.place - one.place
      : later(one.facts.created, other.facts.created);
  }).map(({ entry }) => entry);
}

function hasOptions(facts: ArchiveFacts, { options }: Wanted): boolean {
  return options !== undefined && facts.strategy === options.strategy && facts.spacingBytes === options.spacingBytes &&
    facts.fileCheckpointBytes === options.fileCheckpointBytes;
}
