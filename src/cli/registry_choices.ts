/** How registries are reached, from the command line to the requests. */
import type { SourceOptions } from "../oci/mod.ts";
import type { CommandContext } from "./io.ts";
import type { LoginChoices } from "./login_options.ts";
import { loginArguments, openLogins } from "./open_logins.ts";
import { networkArguments, type NetworkChoices, NO_NETWORK, openNetwork } from "./network_options.ts";

/** The values of `registryOptions`. */
export interface RegistryChoices {
  readonly plainHttp: boolean;
  readonly login: LoginChoices;
  readonly network: NetworkChoices;
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
export const NO_REGISTRY: RegistryChoices = { plainHttp: false, login: NO_LOGIN, network: NO_NETWORK };

/** The same for the source of an image. Every command that talks to a registry gets its options here. */
export function sourceOptions(choices: RegistryChoices, context: Pick<CommandContext, "io" | "log">): SourceOptions {
  const { plainHttp, login, network } = choices;
  return {
    log: context.log,
    plainHttp,
    insecure: network.insecure,
    logins: openLogins(login, context),
    network: openNetwork(network, context.io),
  };
}

/** The same as arguments, for the server of a mount. Holds no secret: everybody can read a command line. */
export function registryArguments(choices: RegistryChoices, { io }: Pick<CommandContext, "io">): string[] {
  const { plainHttp, login, network } = choices;
  return [...(plainHttp ? ["--plain-http"] : []), ...loginArguments(login), ...networkArguments(network, io)];
}
