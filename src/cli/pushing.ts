/** How an index gets into a registry: the options, and what is told of it. */
import { message } from "@optique/core/message";
import { multiple, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { formatBytes, type RangeSource, UsageError } from "../base/mod.ts";
import { formatImageReference, type ImageReference } from "../oci/mod.ts";
import { valueOf } from "./basic_options.ts";
import type { CommandContext } from "./io.ts";
import { type RegistryChoices, sourceOptions } from "./registry_choices.ts";
import { VERSION } from "./version.ts";

/** Under which tags it is kept. */
export const pushingFields = {
  keepTag: withDefault(
    flag("--keep-tag", {
      description: message`Keep what is pushed under a tag of its own too, sha256-….clip, for registries that delete \
what has none.`,
    }),
    false,
  ),
  tags: multiple(
    option("--tag", valueOf("TAG", "", parseTag, (tag) => tag), {
      description: message`The same with this tag; may be given several times.`,
    }),
  ),
};

/** A tag, as an option has it. @throws {UsageError} */
export function parseTag(text: string): string {
  if (/^\w[\w.-]{0,127}$/.test(text)) return text;
  throw new UsageError(
    "a tag is of letters, digits, _, - and ., 128 at most",
  );
}

/** The values of {@linkcode pushingFields}. */
export interface PushingChoices {
  readonly keepTag: boolean;
  readonly tags: readonly string[];
}

/**
 * Pushes an archive, and tells where it is. SOURCE_DATE_EPOCH says when it was made, if anything does.
 * @param reference Of its image in a registry. @throws {ClipError}
 */
export async function pushIndex(
  { source, title, reference }: { source: RangeSource; title: string; reference: ImageReference },
  { keepTag, tags, registry }: PushingChoices & { readonly registry: RegistryChoices },
  { io, log }: Pick<CommandContext, "io" | "log">,
): Promise<void> {
  const { pushArchive } = await import("../distribution/mod.ts");
  const pushed = await pushArchive(source, reference, {
    ...sourceOptions(registry, { io, log }),
    signal: io.signal,
    tags: [...(keepTag ? [true as const] : []), ...tags],
    title,
    clipVersion: VERSION,
    createdMs: sourceDateMs(io.env("SOURCE_DATE_EPOCH")),
  });
  const how = pushed.listed === "api" ? "listed by the registry" : "listed under the referrers' tag";
  const kept = pushed.tags.map((tag) => `, kept as ${tag}`).join("");
  const there = pushed.blobWasThere ? ", was there already" : "";
  io.out(`pushed ${title}: ${formatBytes(pushed.archiveBytes)}${there}; ${how}${kept}\n`);
  io.out(`${formatImageReference(pushed.reference)}\n`);
}

/** Source: reproducible-builds.org, SOURCE_DATE_EPOCH. */
function sourceDateMs(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,11}$/.test(text)) return Number(text) * 1000;
  throw new UsageError(`SOURCE_DATE_EPOCH is "${text}": it has to be seconds since 1970`);
}
