import { ClipError, type Logger, messageOf, SingleFlight } from "../base/mod.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { basicHeader, type Credential } from "./credential.ts";
import { RegistryError, show } from "./errors.ts";
import type { HttpOptions, HttpResponse } from "./http_exchange.ts";
import type { FoundLogin, Logins } from "./logins.ts";
import { statusError } from "./status_error.ts";
import { givenToken, isTokenUsable, lastingToken, type Token } from "./token.ts";
import { type TokenCache, type TokenKey, tokensOf } from "./token_cache.ts";
import { checkRealm } from "./token_realm.ts";
import { requestToken } from "./token_server.ts";

/** What an {@linkcode Authenticator} needs. */
export interface AuthenticatorOptions {
  readonly http: HttpOptions;
  /** `host` or `host:port`, as references name it. */
  readonly registry: string;
  /** Of it; some logins are for a part of a registry. */
  readonly repository?: string | undefined;
  /** Asked in place of the registry that a reference names: what is given for that one is not for this. */
  readonly isMirror?: boolean;
  readonly plainHttp: boolean;
  /** Where logins are looked for, and tokens kept. */
  readonly logins: Logins;
  readonly log: Logger;
  /** Ends every login under way. */
  readonly signal: AbortSignal;
  /** Milliseconds since 1970; replaceable for tests. */
  readonly now?: () => number;
}

/** A login that is refused by 403 this soon did not come to its end: it does not suffice. */
const MIN_REPLACED_AGE_MS = 30_000;
/** While a token server fails, renewals ahead of time leave it alone for so long. */
const AHEAD_REST_MS = 5_000;

/**
 * Logs in to one registry, as its challenges say: anonymous, Basic, Bearer. Tokens are kept with the logins, by
 * registry, way of asking and scope. Source: distribution/docs/spec/auth/token.md, oauth.md; RFC 7617.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #now: () => number;
  readonly #tokens: TokenCache;
  readonly #logins = new SingleFlight<string, Token>();
  /** What a token server gave in place of the refresh token that it was sent. */
  #rotated: { readonly from: string; readonly to: string } | undefined;
  /** Where the newest login is from, for messages. */
  #origin: string | undefined;
  #aheadAfterMs = 0;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#tokens = tokensOf(options.logins);
  }

  /**
   * The Authorization header for a request of `scope` (`repository:NAME:pull`); undefined as long as no request was
   * refused for the want of one. A token near its end is renewed while it is still used, so that no request waits for
   * that; one too near is renewed first. @throws as {@linkcode renew}.
   */
  async header(scope: string): Promise<string | undefined> {
    const challenge = this.#tokens.challenge(this.#options.registry);
    if (challenge === undefined) return undefined;
    const token = this.#tokens.find(this.#key(scope, challenge));
    if (token === undefined || !isTokenUsable(token, this.#now())) return (await this.#login(scope, challenge)).header;
    if (this.#now() >= token.renewAtMs) this.#renewAhead(scope, challenge);
    return token.header;
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
    const challenge = pickChallenge(response.headers.get("www-authenticate"));
    if (challenge === undefined) {
      throw await statusError(response, "asks for a login in a way that clip does not know (neither Basic nor Bearer)");
    }
    const key = this.#key(scope, challenge);
    const newest = this.#tokens.find(key);
    if (newest !== undefined && newest.header !== refused && isTokenUsable(newest, this.#now())) return newest.header;
    this.#tokens.setChallenge(this.#options.registry, challenge);
    if (newest?.header === refused) this.#tokens.forget(key);
    const token = await this.#login(scope, challenge);
    if (token.header !== refused) return token.header;
    throw await statusError(response, this.refusal);
  }

  /** What is wrong where a request with the last login got a 401 again; undefined where it was nobody's. */
  get refusal(): string | undefined {
    return this.#origin === undefined ? undefined : `refuses the login of ${this.#origin}`;
  }

  /**
   * Another login to try again with, after a 403 to a request with `refused`; undefined where there is no other, or
   * where `refused` is new: then it does not suffice. @throws as {@linkcode renew}.
   */
  async replace(scope: string, refused: string): Promise<string | undefined> {
    const challenge = this.#tokens.challenge(this.#options.registry);
    const newest = challenge === undefined ? undefined : this.#tokens.find(this.#key(scope, challenge));
    if (challenge === undefined || newest === undefined) return undefined;
    if (newest.header !== refused) return newest.header;
    if (this.#now() - newest.obtainedAtMs < MIN_REPLACED_AGE_MS) return undefined;
    const token = await this.#login(scope, challenge);
    return token.header === refused ? undefined : token.header;
  }

  #key(scope: string, challenge: Challenge): TokenKey {
    return { registry: this.#options.registry, challenge, scope };
  }

  #login(scope: string, challenge: Challenge): Promise<Token> {
    return this.#logins.run(JSON.stringify([challenge.scheme, scope]), async () => {
      const found = await this.#find();
      this.#origin = found.login?.origin;
      const token = challenge.scheme === "basic"
        ? this.#basicToken(found, challenge)
        : await this.#bearerToken(found, challenge, scope);
      this.#tokens.keep(this.#key(scope, challenge), token);
      return token;
    });
  }

  #find(): Promise<FoundLogin> {
    const { logins, registry, repository, isMirror, signal } = this.#options;
    return logins.find({ registry, repository, isMirror, signal });
  }

  #basicToken({ login, problems }: FoundLogin, challenge: Challenge): Token {
    const credential = login?.credential;
    if (credential?.kind === "basic" || (credential?.kind === "identity" && credential.username !== undefined)) {
      return lastingToken(basicHeader(credential), this.#now());
    }
    const realm = challenge.parameters.get("realm") ?? this.#options.registry;
    const advice = login === undefined ? "log in with docker login first" : `${login.origin} has a token alone`;
    throw this.#loginError([`needs a user and password for "${show(realm, 100)}"; ${advice}`, ...problems].join("; "));
  }

  async #bearerToken({ login, problems }: FoundLogin, challenge: Challenge, scope: string): Promise<Token> {
    const credential = login?.credential;
    if (credential?.kind === "bearer") return givenToken(credential.token, this.#now());
    const { registry, http, signal } = this.#options;
    const nobody = [`refuses anonymous access to ${registry}, for which no login was found`, ...problems].join("; ");
    const request = {
      realm: this.#realm(challenge, credential !== undefined),
      service: challenge.parameters.get("service"),
      scope,
      refusal: login === undefined ? nobody : `refuses the login of ${login.origin} for ${registry}`,
      signal,
      nowMs: this.#now(),
    };
    const stored = credential?.kind === "identity" ? credential.refreshToken : undefined;
    const { token, refreshToken } = await requestToken(http, { ...request, credential: this.#newest(credential) })
      .catch((error) => {
        // The one that came in place of the one that is stored may have come to its end before that.
        if (this.#rotated === undefined || this.#rotated.from !== stored || !isRefusal(error)) throw error;
        this.#rotated = undefined;
        return requestToken(http, { ...request, credential });
      });
    if (stored !== undefined && refreshToken !== undefined) this.#rotated = { from: stored, to: refreshToken };
    return token;
  }

  #newest<Any extends Credential | undefined>(credential: Any): Any {
    if (credential?.kind !== "identity" || credential.refreshToken !== this.#rotated?.from) return credential;
    return { ...credential, refreshToken: this.#rotated.to };
  }

  /** The token server's URL, if it may be asked. */
  #realm(challenge: Challenge, withLogin: boolean): URL {
    const { registry, plainHttp, logins: { tokenHosts } } = this.#options;
    try {
      return checkRealm(challenge.parameters.get("realm"), { registry, plainHttp, withLogin, tokenHosts });
    } catch (error) {
      if (!(error instanceof ClipError)) throw error;
      throw this.#loginError(messageOf(error));
    }
  }

  #loginError(problem: string): RegistryError {
    const redactedUrl = `https://${this.#options.registry}/v2/`;
    return new RegistryError({ code: "denied", problem, method: "GET", redactedUrl, status: 401 });
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof RegistryError && error.status !== undefined && error.status < 500 && error.status !== 429;
}

/** The challenge to answer: Bearer where it is offered, as it sends the password to fewer places. */
function pickChallenge(header: string | null): Challenge | undefined {
  const challenges = parseChallenges(header);
  return challenges.find(({ scheme }) => scheme === "bearer") ?? challenges.find(({ scheme }) => scheme === "basic");
}
