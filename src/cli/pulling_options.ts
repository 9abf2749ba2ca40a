/** Whether indexes that others have pushed are used: the options, and what they ask for. */
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { choice, string } from "@optique/core/valueparser";
import { ClipError, messageOf, UsageError } from "../base/mod.ts";
import type { SigningKey } from "../distribution/mod.ts";
import type { LayerIndexes } from "../indexer/mod.ts";
import { type DockerReference, parseImageReference } from "../oci/mod.ts";
import { path } from "./basic_options.ts";
import type { CommandContext } from "./io.ts";
import { type RegistryChoices, sourceOptions } from "./registry_choices.ts";
import { VERSION } from "./version.ts";

const PULL_MODES = ["auto", "never", "only"] as const;

/** Names the repository where none is given. */
const LAYER_INDEXES_VARIABLE = "CLIP_LAYER_INDEXES";

/** Where the indexes of layers are shared. */
export const layerIndexesOption = optional(option("--layer-indexes", string({ metavar: "REPOSITORY|none" }), {
  description:
    message`A repository of layers' indexes: layers whose index is there are neither fetched nor read. Who may \
push there is trusted with what they hold. Default $CLIP_LAYER_INDEXES, or none.`,
}));

/** Whether the index is made anew. */
export const verifyIndexOption = withDefault(
  flag("--verify-index", {
    description:
      message`Fetch all layers, make the index anew from them and compare: then nobody who pushed it is trusted.`,
  }),
  false,
);

/** Whose word is taken. */
export const requireSignatureOption = optional(option("--require-signature", path("KEY.pub"), {
  description: message`Use only a pulled index that was signed with this key, by cosign sign --key.`,
}));

/** Whether the index of an image is pulled, for commands that need one. */
export const pullingOptions = object("Pulled indexes", {
  pull: withDefault(
    option("--pull", choice(PULL_MODES, { metavar: "MODE" }), {
      description: message`Whether the index of an image is pulled from its registry where clip push left one: auto, \
and the image is indexed where there is none; never; only, and where there is none it is an error. Default auto.`,
    }),
    "auto" as const,
  ),
  verifyIndex: verifyIndexOption,
  requireSignature: requireSignatureOption,
  layerIndexes: layerIndexesOption,
});

/** The values of {@linkcode pullingOptions}. */
export interface PullingChoices {
  readonly pull: typeof PULL_MODES[number];
  readonly verifyIndex: boolean;
  /** A file. */
  readonly requireSignature: string | undefined;
  readonly layerIndexes: string | undefined;
}

/** The key that a pulled index has to be signed with; undefined where any will do. @throws {ClipError} */
export async function readSigningKey(path: string | undefined): Promise<SigningKey | undefined> {
  if (path === undefined) return undefined;
  const { parseSigningKey } = await import("../distribution/mod.ts");
  const pem = await Deno.readTextFile(path).catch((error) => {
    throw new ClipError("io", `cannot read the key ${path}: ${messageOf(error)}`, { cause: error });
  });
  return parseSigningKey(pem, path);
}

/** The repository that is meant; undefined for none. @throws {UsageError} */
export function layerIndexesRepository(
  text: string | undefined,
  { io }: Pick<CommandContext, "io">,
): DockerReference | undefined {
  const name = text ?? io.env(LAYER_INDEXES_VARIABLE) ?? "none";
  if (name === "none" || name === "") return undefined;
  const reference = parseImageReference(name);
  if (reference.transport !== "docker" || reference.digest !== undefined || /:[^/]*$/.test(name)) {
    throw new UsageError(`"${name}" is not a repository: write HOST/NAME, without tag and digest`);
  }
  return reference;
}

/** The indexes of layers in a repository, with the local ones before them. `close` ends its connections. */
export async function openLayerIndexes(
  repository: DockerReference,
  { local, push, registry }: { local: LayerIndexes | undefined; push: boolean; registry: RegistryChoices },
  { io, log }: Pick<CommandContext, "io" | "log">,
): Promise<{ indexes: LayerIndexes; close: () => void }> {
  const [{ ArtifactRepository }, { LayerIndexRepository }] = await Promise.all([
    import("../oci/mod.ts"),
    import("../distribution/mod.ts"),
  ]);
  const artifacts = new ArtifactRepository(repository, { ...sourceOptions(registry, { io, log }), signal: io.signal });
  const indexes = new LayerIndexRepository(artifacts, { local, push, clipVersion: VERSION, log });
  return { indexes, close: () => artifacts.close() };
}
