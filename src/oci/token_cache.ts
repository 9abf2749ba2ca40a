import type { Challenge } from "./challenge.ts";
import type { Logins } from "./logins.ts";
import type { Token } from "./token.ts";

/** What a token is good for. */
export interface TokenKey {
  /** `host` or `host:port`, as references name it. */
  readonly registry: string;
  /** How the registry asked for it: by scheme, realm and service. */
  readonly challenge: Challenge;
  readonly scope: string;
}

/** Tokens, and how registries ask for them: what is learnt of a registry once is known to all who ask it later. */
export class TokenCache {
  readonly #tokens = new Map<string, Token>();
  readonly #challenges = new Map<string, Challenge>();

  /** The way in which a registry last asked for a login; undefined where it never did. */
  challenge(registry: string): Challenge | undefined {
    return this.#challenges.get(registry);
  }

  /** Keeps it. */
  setChallenge(registry: string, challenge: Challenge): void {
    this.#challenges.set(registry, challenge);
  }

  /** The newest token for `key`, which may be past its end. */
  find(key: TokenKey): Token | undefined {
    return this.#tokens.get(nameOf(key));
  }

  /** Keeps `token` in place of an older one. */
  keep(key: TokenKey, token: Token): void {
    this.#tokens.set(nameOf(key), token);
  }

  /** Forgets the token for `key`. */
  forget(key: TokenKey): void {
    this.#tokens.delete(nameOf(key));
  }
}

function nameOf({ registry, challenge: { scheme, parameters }, scope }: TokenKey): string {
  return JSON.stringify([registry, scheme, parameters.get("realm"), parameters.get("service"), scope]);
}

const caches = new WeakMap<Logins, TokenCache>();

/** The tokens that were obtained with `logins`: all who have the same share them. */
export function tokensOf(logins: Logins): TokenCache {
  const known = caches.get(logins) ?? new TokenCache();
  caches.set(logins, known);
  return known;
}
