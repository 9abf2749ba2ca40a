/** How registries are reached, from the command line to the requests. */
import type { SourceOptions } from "../oci/mod.ts";
import type { CommandContext } from "./io.ts";
import type { LoginChoices } from "./login_options.ts";
import { loginArguments, openLogins } from "./open_logins.ts";

/** The values of `registryOptions`. */
export interface RegistryChoices {
  readonly plainHttp: boolean;
  readonly login: LoginChoices;
}

const NO_LOGIN: LoginChoices = {
  creds: undefined,
  username: undefined,
  passwordStdin: false,
  tokenFile: undefined,
  credentialCommand: undefined,
  noAmbientCredentials: true,
  tokenHosts: [],
};

/** For commands that ask no registry. */
export const NO_REGISTRY: RegistryChoices = { plainHttp: false, login: NO_LOGIN };

/** The same for the source of an image. Every command that talks to a registry gets its options here. */
export function sourceOptions(choices: RegistryChoices, context: Pick<CommandContext, "io" | "log">): SourceOptions {
  const { log } = context;
  return { log, plainHttp: choices.plainHttp, logins: openLogins(choices.login, context) };
}

/** The same as arguments, for the server of a mount. Holds no secret: everybody can read a command line. */
export function registryArguments(choices: RegistryChoices): string[] {
  return [...(choices.plainHttp ? ["--plain-http"] : []), ...loginArguments(choices.login)];
}
