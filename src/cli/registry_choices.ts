/** How registries are reached, from the command line to the requests. */
import type { SourceOptions } from "../oci/mod.ts";
import type { CommandContext } from "./io.ts";

/** The values of `registryOptions`. */
export interface RegistryChoices {
  readonly plainHttp: boolean;
}

/** For commands that ask no registry. */
export const NO_REGISTRY: RegistryChoices = { plainHttp: false };

/** The same for the source of an image. Every command that talks to a registry gets its options here. */
export function sourceOptions(choices: RegistryChoices, { log }: Pick<CommandContext, "io" | "log">): SourceOptions {
  return { log, plainHttp: choices.plainHttp };
}

/** The same as arguments, for the server of a mount. Holds no secret: everybody can read a command line. */
export function registryArguments(choices: RegistryChoices): string[] {
  return choices.plainHttp ? ["--plain-http"] : [];
}
