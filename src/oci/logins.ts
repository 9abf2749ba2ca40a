import { ClipError, type Logger, messageOf } from "../base/mod.ts";
import { authFilePaths, helperServer, type LoginQuery, readAuthFile } from "./auth_file.ts";
import type { Credential, Login } from "./credential.ts";
import { askCommand, askHelper, lineCredential, MAX_SECRET_BYTES } from "./ask_credential.ts";
import { environmentLogin } from "./environment_login.ts";

/** A login that somebody gives for the registry at hand. A file or command is asked again whenever a login is needed. */
export type GivenLogin =
  | { readonly kind: "login"; readonly login: () => Promise<Login> }
  | { readonly kind: "file"; readonly path: string; readonly username: string | undefined }
  | { readonly kind: "command"; readonly command: string; readonly username: string | undefined };

/** Where logins are looked for. */
export interface LoginsOptions {
  /** Told of helpers that fail; never of a secret. */
  readonly log: Logger;
  /** Default: this process's environment. */
  readonly env?: (name: string) => string | undefined;
  /** For the first registry that is named, and no other. */
  readonly given?: GivenLogin | undefined;
  /** That registry, where it is known from before. */
  readonly givenFor?: string | undefined;
  /** Whether the environment, files and helpers are asked as well. Default true. */
  readonly ambient?: boolean;
  /** Hosts of token servers that logins may go to, besides those that a registry vouches for. */
  readonly tokenHosts?: readonly string[];
  /** How long a helper or command may take. */
  readonly programTimeoutMs?: number;
}

/** Whose login is looked for, and on whose behalf. */
export interface LoginRequest extends LoginQuery {
  /** Not named by anybody, but asked in place of a registry that was: what is given for that one is not for it. */
  readonly isMirror?: boolean | undefined;
  /** Ends the search. */
  readonly signal: AbortSignal;
}

/** What was found. */
export interface FoundLogin {
  /** Undefined: to be nobody. */
  readonly login: Login | undefined;
  /** What hindered the search; without secrets. */
  readonly problems: readonly string[];
}

/**
 * Logins to registries, wherever they are kept: first what the command line gives, then the environment, then the files
 * of Docker and podman with the helpers that they name. One for all that a command does: what was learnt and obtained
 * once is not asked for again.
 */
export class Logins {
  /** Hosts of token servers that logins may go to, besides those that a registry vouches for. */
  readonly tokenHosts: readonly string[];
  readonly #options: LoginsOptions;
  readonly #env: (name: string) => string | undefined;
  /** What a file, helper or command said last: it may fail for a moment. */
  readonly #last = new Map<string, Credential>();
  readonly #warned = new Set<string>();
  #givenFor: string | undefined;

  /** Asks nobody anything yet. */
  constructor(options: LoginsOptions) {
    this.#options = options;
    this.#env = options.env ?? ((name) => Deno.env.get(name));
    this.#givenFor = options.givenFor;
    this.tokenHosts = options.tokenHosts ?? [];
  }

  /** The registry that logins are for which do not say themselves; undefined as long as none was named. */
  get givenFor(): string | undefined {
    return this.#givenFor;
  }

  /** Has what is given be for this registry, unless another was named before: also where it asks for no login. */
  name(registry: string): void {
    this.#givenFor ??= registry;
  }

  /**
   * The login for a registry; undefined to be nobody. A helper that fails is a problem, and not the end.
   * @throws {ClipError} when the login that was given cannot be had, or a file with logins is broken. @throws the reason of
   * the signal.
   */
  async find(request: LoginRequest): Promise<FoundLogin> {
    const { registry } = request;
    const problems: string[] = [];
    const isGiven = this.#isGivenFor(request);
    if (isGiven && this.#options.given !== undefined) {
      return { login: await this.#given(this.#options.given, request), problems };
    }
    if (this.#options.given !== undefined) {
      problems.push(`the login that was given is for ${this.#givenFor ?? "the registry that was named"} alone`);
    }
    if (this.#options.ambient === false) return { login: undefined, problems };
    const login = environmentLogin(this.#env, registry) ??
      (isGiven ? environmentLogin(this.#env, undefined) : undefined) ??
      await this.#fromFiles(request, problems);
    return { login, problems };
  }

  #isGivenFor({ registry, isMirror = false }: LoginRequest): boolean {
    if (isMirror) return false;
    this.name(registry);
    return this.#givenFor === registry;
  }

  async #given(given: GivenLogin, { registry, signal }: LoginRequest): Promise<Login> {
    if (given.kind === "login") return await given.login();
    const { username } = given;
    if (given.kind === "file") {
      const origin = `the --token-file ${given.path}`;
      const read = async () => lineCredential(await readSecretFile(given.path), username, origin);
      return { origin, credential: await this.#ask(origin, read, signal) };
    }
    const origin = "the --credential-command";
    const options = { server: helperServer(registry), username, ...this.#programOptions(signal) };
    return { origin, credential: await this.#ask(origin, () => askCommand(given.command, options), signal) };
  }

  async #fromFiles(request: LoginRequest, problems: string[]): Promise<Login | undefined> {
    for (const path of authFilePaths(this.#env, Deno.uid())) {
      const entry = await readAuthFile(path, request);
      if (entry === undefined) continue;
      const login = entry.helper === undefined ? undefined : await this.#fromHelper(entry.helper, request, problems);
      if (login !== undefined) return login;
      if (entry.credential !== undefined) return { credential: entry.credential, origin: path };
    }
    return undefined;
  }

  async #fromHelper(name: string, request: LoginRequest, problems: string[]): Promise<Login | undefined> {
    const { registry, signal } = request;
    const ask = () => askHelper(name, helperServer(registry), this.#programOptions(signal));
    try {
      const credential = await this.#ask(`${name} ${registry}`, ask, signal);
      return credential === undefined ? undefined : { credential, origin: `docker-credential-${name}` };
    } catch (error) {
      if (!(error instanceof ClipError) || signal.aborted) throw error;
      problems.push(messageOf(error));
      this.#warnOnce(`trying without a login: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** What `work` finds; where it fails, what it found before, which may do. */
  async #ask<Found extends Credential | undefined>(
    key: string,
    work: () => Promise<Found>,
    signal: AbortSignal,
  ): Promise<Found | Credential> {
    try {
      const credential = await work();
      if (credential === undefined) this.#last.delete(key);
      else this.#last.set(key, credential);
      return credential;
    } catch (error) {
      const last = this.#last.get(key);
      if (last === undefined || !(error instanceof ClipError) || signal.aborted) throw error;
      this.#options.log.warn(`the login of before is used again: ${messageOf(error)}`);
      return last;
    }
  }

  #programOptions(signal: AbortSignal): { signal: AbortSignal; timeoutMs?: number } {
    const { programTimeoutMs } = this.#options;
    return { signal, ...(programTimeoutMs === undefined ? {} : { timeoutMs: programTimeoutMs }) };
  }

  #warnOnce(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.#options.log.warn(text);
  }
}

async function readSecretFile(path: string): Promise<string> {
  try {
    const { size, isFile } = await Deno.stat(path);
    if (isFile && size > MAX_SECRET_BYTES) {
      throw new ClipError("limit", `${path} has more than ${MAX_SECRET_BYTES} bytes`);
    }
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof ClipError) throw error;
    const why = error instanceof Deno.errors.NotFound ? "it does not exist" : error instanceof Error ? error.name : "";
    throw new ClipError("io", `cannot read the --token-file ${path}: ${why}`);
  }
}
