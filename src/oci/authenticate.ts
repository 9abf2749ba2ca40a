import { Buffer } from "node:buffer";
import { type Logger, messageOf, SingleFlight } from "../base/mod.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { type Credential, readLogin } from "./docker_config.ts";
import { RegistryError, show } from "./errors.ts";
import { exchange, type HttpOptions, type HttpResponse } from "./http_exchange.ts";
import { isLoopback } from "./loopback.ts";
import { statusError } from "./status_error.ts";
import { isTokenUsable, lastingToken, parseTokenAnswer, type Token } from "./token.ts";

/** What an {@linkcode Authenticator} needs. */
export interface AuthenticatorOptions {
  readonly http: HttpOptions;
  /** `host` or `host:port`, as references name it. */
  readonly registry: string;
  readonly plainHttp: boolean;
  readonly dockerConfigPath?: string | undefined;
  readonly log: Logger;
  /** Ends every login under way. */
  readonly signal: AbortSignal;
  /** Milliseconds since 1970; replaceable for tests. */
  readonly now?: () => number;
}

const MAX_TOKEN_ANSWER_BYTES = 1024 * 1024;
/** A login that is refused by 403 this soon did not come to its end: it does not suffice. */
const MIN_REPLACED_AGE_MS = 30_000;
/** While a token server fails, renewals ahead of time leave it alone for so long. */
const AHEAD_REST_MS = 5_000;

/**
 * Logs in to one registry, as its challenges say, and keeps the tokens: anonymous, Basic, Bearer.
 * Source: distribution/docs/spec/auth/token.md, oauth.md; RFC 7617.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #now: () => number;
  readonly #tokens = new Map<string, Token>();
  readonly #logins = new SingleFlight<string, Token>();
  #challenge: Challenge | undefined;
  #aheadAfterMs = 0;
  #warnedOfHelper = false;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * The Authorization header for a request of `scope` (`repository:NAME:pull`); undefined as long as no request was
   * refused for the want of one. A token near its end is renewed while it is still used, so that no request waits for
   * that; one too near is renewed first. @throws as {@linkcode renew}.
   */
  async header(scope: string): Promise<string | undefined> {
    const token = this.#tokens.get(scope);
    const challenge = this.#challenge;
    if (token !== undefined && isTokenUsable(token, this.#now())) {
      if (challenge !== undefined && this.#now() >= token.renewAtMs) this.#renewAhead(scope, challenge);
      return token.header;
    }
    return challenge === undefined ? undefined : (await this.#login(scope, challenge)).header;
  }

  #renewAhead(scope: string, challenge: Challenge): void {
    if (this.#now() < this.#aheadAfterMs) return;
    this.#login(scope, challenge).catch((error) => {
      // The first request that cannot do without it says what is wrong.
      this.#aheadAfterMs = this.#now() + AHEAD_REST_MS;
      this.#options.log.debug("a login could not be renewed ahead of its end", { error: messageOf(error) });
    });
  }

  /**
   * The Authorization header to try again with, after `refused` (undefined: a request without one) got a 401.
   * Requests that were refused at the same time share one login.
   * @throws {RegistryError} `denied` when there is nothing to log in with, or the login itself is refused.
   */
  async renew(scope: string, refused: string | undefined, response: HttpResponse): Promise<string> {
    const newest = this.#tokens.get(scope);
    if (newest !== undefined && newest.header !== refused && isTokenUsable(newest, this.#now())) return newest.header;
    const challenge = pickChallenge(response.headers.get("www-authenticate"));
    if (challenge === undefined) {
      throw await statusError(response, "asks for a login in a way that clip does not know (neither Basic nor Bearer)");
    }
    this.#challenge = challenge;
    if (newest?.header === refused) this.#tokens.delete(scope);
    const token = await this.#login(scope, challenge);
    if (token.header === refused) throw await statusError(response, "refuses the login in Docker's config");
    return token.header;
  }

  /**
   * Another login to try again with, after a 403 to a request with `refused`; undefined where there is no other, or
   * where `refused` is new: then it does not suffice. @throws as {@linkcode renew}.
   */
  async replace(scope: string, refused: string): Promise<string | undefined> {
    const newest = this.#tokens.get(scope);
    if (newest !== undefined && newest.header !== refused) return newest.header;
    if (newest === undefined || this.#challenge === undefined) return undefined;
    if (this.#now() - newest.obtainedAtMs < MIN_REPLACED_AGE_MS) return undefined;
    const token = await this.#login(scope, this.#challenge);
    return token.header === refused ? undefined : token.header;
  }

  #login(scope: string, challenge: Challenge): Promise<Token> {
    return this.#logins.run(scope, async () => {
      const credential = await this.#credential();
      const token = challenge.scheme === "basic"
        ? this.#basicToken(credential, challenge)
        : await this.#bearerToken(credential, challenge, scope);
      this.#tokens.set(scope, token);
      return token;
    });
  }

  async #credential(): Promise<Credential | undefined> {
    const { registry, dockerConfigPath, log } = this.#options;
    const { credential, unusedHelper } = await readLogin(registry, dockerConfigPath);
    if (unusedHelper !== undefined && !this.#warnedOfHelper) {
      this.#warnedOfHelper = true;
      log.warn("credential helpers are not run; trying without a login", { registry, helper: unusedHelper });
    }
    return credential;
  }

  #basicToken(credential: Credential | undefined, challenge: Challenge): Token {
    if (credential?.kind === "basic") return lastingToken(basicHeader(credential), this.#now());
    const realm = challenge.parameters.get("realm") ?? this.#options.registry;
    throw this.#loginError(`needs a user and password for "${show(realm, 100)}"; log in with docker login first`);
  }

  async #bearerToken(credential: Credential | undefined, challenge: Challenge, scope: string): Promise<Token> {
    if (credential?.kind === "bearer") return lastingToken(`Bearer ${credential.token}`, this.#now());
    const realm = this.#realm(challenge, credential !== undefined);
    const service = challenge.parameters.get("service");
    const response = credential?.kind === "identity"
      ? await this.#postRefreshToken(realm, credential.refreshToken, { service, scope })
      : await this.#getToken(realm, credential, { service, scope });
    try {
      if (response.status === 401 || response.status === 403 || (response.status === 400 && credential !== undefined)) {
        throw await this.#refusal(response, credential !== undefined);
      }
      if (response.status !== 200) throw await statusError(response);
      const bytes = await response.readAll(MAX_TOKEN_ANSWER_BYTES);
      return parseTokenAnswer(bytes, { source: response.redactedUrl, nowMs: this.#now() });
    } finally {
      response.close();
    }
  }

  /** The token server's URL, if it may be asked. */
  #realm(challenge: Challenge, withCredential: boolean): URL {
    let realm: URL;
    try {
      realm = new URL(challenge.parameters.get("realm") ?? "");
    } catch {
      throw this.#loginError("names a token server that is not a URL");
    }
    realm.username = "";
    realm.password = "";
    realm.hash = "";
    if (realm.protocol === "https:") return realm;
    const registryHost = new URL(`https://${this.#options.registry}/`).hostname;
    if (realm.protocol !== "http:" || !(this.#options.plainHttp || isLoopback(realm.hostname))) {
      throw this.#loginError(`names the token server ${realm.protocol}//${realm.host}, but only https is allowed`);
    }
    if (withCredential && realm.hostname !== registryHost) {
      throw this.#loginError(
        `names the token server http://${realm.host}: a login is not sent to another host in plain http`,
      );
    }
    return realm;
  }

  #getToken(
    realm: URL,
    credential: Credential | undefined,
    { service, scope }: { service: string | undefined; scope: string },
  ): Promise<HttpResponse> {
    if (service !== undefined) realm.searchParams.set("service", service);
    realm.searchParams.set("scope", scope);
    return exchange(this.#options.http, {
      method: "GET",
      url: realm,
      headers: { accept: "application/json" },
      authorization: credential?.kind === "basic" ? basicHeader(credential) : undefined,
      signals: [this.#options.signal],
    });
  }

  #postRefreshToken(
    realm: URL,
    refreshToken: string,
    { service, scope }: { service: string | undefined; scope: string },
  ): Promise<HttpResponse> {
    const form = new URLSearchParams({ grant_type: "refresh_token", client_id: "clip", scope });
    if (service !== undefined) form.set("service", service);
    form.set("refresh_token", refreshToken);
    return exchange(this.#options.http, {
      method: "POST",
      url: realm,
      headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
      body: form.toString(),
      signals: [this.#options.signal],
    });
  }

  #refusal(response: HttpResponse, withCredential: boolean): Promise<RegistryError> {
    const { registry } = this.#options;
    const problem = withCredential
      ? `refuses the login for ${registry} in Docker's config`
      : `refuses anonymous access to ${registry}, for which Docker's config holds no login`;
    return statusError(response, problem);
  }

  #loginError(problem: string): RegistryError {
    const redactedUrl = `https://${this.#options.registry}/v2/`;
    return new RegistryError({ code: "denied", problem, method: "GET", redactedUrl, status: 401 });
  }
}

function basicHeader({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

/** The challenge to answer: Bearer where it is offered, as it sends the password to fewer places. */
function pickChallenge(header: string | null): Challenge | undefined {
  const challenges = parseChallenges(header);
  return challenges.find(({ scheme }) => scheme === "bearer") ?? challenges.find(({ scheme }) => scheme === "basic");
}
