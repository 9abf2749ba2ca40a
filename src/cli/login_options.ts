/** Who to be for a registry: options of every command that talks to one. */
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { UsageError } from "../base/mod.ts";
import { path, valueOf } from "./basic_options.ts";

/** A user and a password. */
export interface UserLogin {
  readonly username: string;
  readonly password: string;
}

/** The values of {@linkcode loginOptions}. */
export interface LoginChoices {
  readonly creds: UserLogin | undefined;
  readonly username: string | undefined;
  readonly passwordStdin: boolean;
  readonly tokenFile: string | undefined;
  readonly credentialCommand: string | undefined;
  readonly noAmbientCredentials: boolean;
  readonly tokenHosts: readonly string[];
}

/** How one logs in where registries ask for it. */
export const loginOptions = object("Login", {
  creds: optional(
    option(
      "--creds",
      valueOf("USER:PASSWORD", { username: "", password: "" }, parseCreds, ({ username }) => username),
      {
        description: message`Log in so. Everybody on the machine can read it meanwhile (ps): --password-stdin, or \
$CLIP_REGISTRY_USER and $CLIP_REGISTRY_PASSWORD, are not seen.`,
      },
    ),
  ),
  username: optional(
    option("--username", string({ metavar: "USER" }), {
      description: message`Whose password it is that comes from --password-stdin, --token-file or \
--credential-command.`,
    }),
  ),
  passwordStdin: withDefault(
    flag("--password-stdin", { description: message`Read the password from standard input.` }),
    false,
  ),
  tokenFile: optional(
    option("--token-file", path("FILE"), {
      description: message`Log in with the access token in FILE, or with --username the password; read again when it \
comes to its end.`,
    }),
  ),
  credentialCommand: optional(
    option("--credential-command", string({ metavar: "COMMAND" }), {
      description:
        message`Log in with what a shell command prints: a token, with --username a password, or the JSON of \
a docker-credential helper; asked again when it comes to its end.`,
    }),
  ),
  noAmbientCredentials: withDefault(
    flag("--no-ambient-credentials", {
      description: message`Use no login but that of these options: none of the environment, of Docker's and podman's \
files and of their helpers.`,
    }),
    false,
  ),
  tokenHosts: multiple(
    option("--token-host", valueOf("HOST[:PORT]", "", parseHost, (host) => host), {
      description: message`Logins may go to this token server too, though it is of another domain than the registry.`,
    }),
  ),
});

/** The text is in no message. */
function parseCreds(text: string): UserLogin {
  const colon = text.indexOf(":");
  if (colon < 1) throw new UsageError("it takes USER:PASSWORD");
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function parseHost(text: string): string {
  if (!/^[^/@\s]+$/.test(text) || !URL.canParse(`https://${text}/`)) throw new UsageError("it takes HOST or HOST:PORT");
  return new URL(`https://${text}/`).host;
}
