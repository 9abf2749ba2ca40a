import { ClipError, messageOf } from "../base/mod.ts";
import { askProgram, type ProgramAnswer } from "./ask_program.ts";
import { type Credential, userCredential } from "./credential.ts";
import { type JsonPlace, parseJsonObject, stringField, wrong } from "./json_fields.ts";

/** How a helper is asked. */
export interface HelperOptions {
  readonly signal: AbortSignal;
  /** Default 30,000: some ask a cloud's servers. */
  readonly timeoutMs?: number;
}

/** The longest password or token that is believed, with what is around it. */
export const MAX_SECRET_BYTES = 64 * 1024;
const DEFAULT_TIMEOUT_MS = 30_000;
/** Names as Docker makes programs of them; a slash would lead out of the PATH. */
const NAME = /^[\w][\w.-]{0,63}$/;
/** What helpers write where they know nothing of a server. Source: docker/docker-credential-helpers, credentials/error.go. */
const NOT_FOUND = /^credentials not found/;

/**
 * What the program `docker-credential-NAME` knows of `server`; undefined where it says that it knows nothing.
 * Source: docker/docker-credential-helpers, README, "Development".
 * @throws {ClipError} naming the program; nothing that it says is in the message. @throws the reason of the signal.
 */
export async function askHelper(name: string, server: string, options: HelperOptions): Promise<Credential | undefined> {
  if (!NAME.test(name)) throw new ClipError("corrupt", "a credential helper's name has characters that none has");
  const program = `docker-credential-${name}`;
  const answer = await ask(program, [program, "get"], server, options);
  if (answer.status !== 0) {
    if (NOT_FOUND.test(answer.output.trim())) return undefined;
    throw failed(program, answer.status, `echo ${server} | ${program} get`);
  }
  return parseHelperAnswer(answer.output, program);
}

/**
 * What a command of the user's own says of `server`: what helpers write, or a line, which is a password where there is
 * a `username`, and else an access token.
 * @throws {ClipError} without the command, and without what it says. @throws the reason of the signal.
 */
export async function askCommand(
  command: string,
  { server, username, ...options }: HelperOptions & { server: string; username: string | undefined },
): Promise<Credential> {
  const answer = await ask(COMMAND, ["sh", "-c", command], server, options);
  if (answer.status !== 0) throw failed(COMMAND, answer.status, "run it in a shell");
  if (answer.output.trimStart().startsWith("{")) return parseHelperAnswer(answer.output, COMMAND);
  return lineCredential(answer.output, username, COMMAND);
}

const COMMAND = "the --credential-command";

/** The credential in a line of text. @throws {ClipError} naming the `source` where it is none. */
export function lineCredential(text: string, username: string | undefined, source: string): Credential {
  const secret = text.replace(/\r?\n$/, "");
  if (secret === "") throw new ClipError("denied", `${source} is empty`);
  if (username !== undefined) return userCredential(username, secret);
  if (!/^[\x21-\x7e]+$/.test(secret)) {
    throw new ClipError("denied", `${source}: a token is one line of printable characters`);
  }
  return { kind: "bearer", token: secret };
}

async function ask(
  what: string,
  command: readonly string[],
  server: string,
  { signal, timeoutMs = DEFAULT_TIMEOUT_MS }: HelperOptions,
): Promise<ProgramAnswer> {
  try {
    return await askProgram({ command, input: `${server}\n`, timeoutMs, maxOutputBytes: MAX_SECRET_BYTES, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ClipError)) throw error;
    throw new ClipError(error.code, `${what}: ${messageOf(error)}`, { retryable: error.retryable });
  }
}

/** What it says of the reason may be a secret: whoever asks it himself sees. */
function failed(what: string, status: number, how: string): ClipError {
  return new ClipError("denied", `${what} failed (status ${status}); to see why: ${how}`);
}

function parseHelperAnswer(text: string, source: string): Credential {
  const place: JsonPlace = { subject: "credential", source, isSecret: true };
  const answer = parseJsonObject(new TextEncoder().encode(text), place);
  const username = stringField(answer, "Username", place) ?? "";
  const secret = stringField(answer, "Secret", place) ?? "";
  if (username === "" || secret === "") throw wrong("", username === "" ? "Username" : "Secret", "a value", place);
  return userCredential(username, secret);
}
