/** Logins, as the command line describes them. */
import { resolve } from "node:path";
import { type Logger, UsageError } from "../base/mod.ts";
import { type GivenLogin, type Login, Logins, userCredential } from "../oci/mod.ts";
import type { Io } from "./io.ts";
import type { LoginChoices } from "./login_options.ts";

/**
 * By this a mount's server is told the login that the command line gave, and for which registry. Neither is an argument,
 * which everybody could read, nor in a file.
 */
const GIVEN_VARIABLE = "CLIP_GIVEN_LOGIN";
const MAX_PASSWORD_BYTES = 64 * 1024;

/** Where the world is that logins come from. */
export interface LoginContext {
  readonly io: Pick<Io, "env" | "readInput">;
  readonly log: Logger;
}

/** What is kept of a command's choices. */
interface Opened {
  readonly logins: Logins;
  /** The user and password given; undefined where none are. */
  readonly given: (() => Promise<Given>) | undefined;
}

/** A login that was given, with its registry where that is known. */
interface Given {
  readonly registry?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** One for all that a command does: so it reads the password once, and shares its tokens. */
const opened = new WeakMap<LoginChoices, Opened>();

/** The logins that are asked for. Reads nothing before one is needed. @throws {UsageError} for options that contradict. */
export function openLogins(choices: LoginChoices, context: LoginContext): Logins {
  return open(choices, context).logins;
}

/** The same for the server of a mount: arguments that hold no secret. @throws {UsageError} */
export function loginArguments(choices: LoginChoices): string[] {
  const { username, tokenFile, credentialCommand, noAmbientCredentials, tokenHosts } = choices;
  const args = tokenHosts.flatMap((host) => ["--token-host", host]);
  if (noAmbientCredentials) args.push("--no-ambient-credentials");
  if (tokenFile !== undefined) args.push("--token-file", resolve(tokenFile));
  if (credentialCommand !== undefined) args.push("--credential-command", credentialCommand);
  if (username !== undefined && (tokenFile ?? credentialCommand) !== undefined) args.push("--username", username);
  return args;
}

/** And the variables that hold secrets. @throws {UsageError} @throws {ClipError} when standard input cannot be read. */
export async function loginVariables(choices: LoginChoices, context: LoginContext): Promise<Record<string, string>> {
  const { logins, given } = open(choices, context);
  return { [GIVEN_VARIABLE]: JSON.stringify({ ...await given?.(), registry: logins.givenFor }) };
}

function open(choices: LoginChoices, context: LoginContext): Opened {
  const known = opened.get(choices);
  if (known !== undefined) return known;
  check(choices);
  const handedOver = parseGiven(context.io.env(GIVEN_VARIABLE));
  const given = readerOf(choices, handedOver, context);
  const logins = new Logins({
    log: context.log,
    env: (name) => context.io.env(name),
    given: given === undefined
      ? givenLogin(choices)
      : { kind: "login", login: async () => toLogin(await given(), choices) },
    givenFor: handedOver?.registry,
    ambient: !choices.noAmbientCredentials,
    tokenHosts: choices.tokenHosts,
  });
  const result = { logins, given };
  opened.set(choices, result);
  return result;
}

function check({ creds, username, passwordStdin, tokenFile, credentialCommand }: LoginChoices): void {
  const ways = { "--creds": creds, "--password-stdin": passwordStdin || undefined, "--token-file": tokenFile };
  const names = Object.entries({ ...ways, "--credential-command": credentialCommand })
    .flatMap(([name, value]) => value === undefined ? [] : [name]);
  if (names.length > 1) throw new UsageError(`${names.join(" and ")}: one login at a time`);
  if (passwordStdin && username === undefined) throw new UsageError("--password-stdin goes with --username");
  if (username === undefined || names.length === 1 && creds === undefined) return;
  throw new UsageError("--username goes with --password-stdin, --token-file or --credential-command");
}

/** A file or a command, which are asked again and again. */
function givenLogin({ username, tokenFile, credentialCommand }: LoginChoices): GivenLogin | undefined {
  if (tokenFile !== undefined) return { kind: "file", path: resolve(tokenFile), username };
  return credentialCommand === undefined ? undefined : { kind: "command", command: credentialCommand, username };
}

/** What gives the user and password, once. */
function readerOf(
  { creds, username, passwordStdin }: LoginChoices,
  handedOver: Given | undefined,
  { io }: LoginContext,
): (() => Promise<Given>) | undefined {
  if (creds !== undefined) return () => Promise.resolve(creds);
  if (!passwordStdin) return handedOver?.password === undefined ? undefined : () => Promise.resolve(handedOver);
  let read: Promise<Given> | undefined;
  return () => read ??= readPassword(io).then((password) => ({ username, password }));
}

async function readPassword(io: LoginContext["io"]): Promise<string> {
  const password = (await io.readInput(MAX_PASSWORD_BYTES)).replace(/\r?\n$/, "");
  if (password === "") throw new UsageError("--password-stdin: standard input is empty");
  return password;
}

function toLogin({ username = "", password = "" }: Given, { creds, passwordStdin }: LoginChoices): Login {
  const origin = creds !== undefined ? "--creds" : passwordStdin ? "--password-stdin" : "the command line";
  return { credential: userCredential(username, password), origin };
}

/** What this program itself has written there. The text is in no message. */
function parseGiven(text: string | undefined): Given | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`$${GIVEN_VARIABLE} is not to be set`);
  }
}
