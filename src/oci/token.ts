import { Buffer } from "node:buffer";
import { fieldOf, type JsonPlace, parseJsonObject, wrong } from "./json_fields.ts";

/** A login that can be sent. Never to be printed. */
export interface Token {
  /** The value of an Authorization header. */
  readonly header: string;
  /** From when on it is to be renewed, in milliseconds since 1970. It may be used meanwhile. */
  readonly renewAtMs: number;
  /** From when on it is not to be used, in milliseconds since 1970: before its end, for a request takes its time. */
  readonly unusableAtMs: number;
  /** In milliseconds since 1970. */
  readonly obtainedAtMs: number;
}

/** A token server's answer. */
export interface TokenAnswer {
  readonly token: Token;
  /** To be used from now on in place of the refresh token that was sent. */
  readonly refreshToken: string | undefined;
}

/** What a token lives where the server does not say. Source: distribution/docs/spec/auth/token.md. */
const DEFAULT_LIFETIME_SECONDS = 60;
/** What a server says beyond these is not believed: a login at each read, or a token that is never asked for again. */
const MIN_LIFETIME_SECONDS = 1;
const MAX_LIFETIME_SECONDS = 24 * 60 * 60;
const MAX_MARGIN_MS = 30_000;
const MAX_TOKEN_LENGTH = 64 * 1024;
/** Whoever gave a token of unknown life is asked for a newer one so often. */
const GIVEN_TOKEN_RENEWED_AFTER_MS = 5 * 60_000;

/**
 * The token in a token server's answer, received at `nowMs`. It is to be renewed a quarter of its life, or 30 s, before
 * it ends, and is not used in the last third of that: a request that starts before the end must also be answered before.
 * `issued_at` shortens the life only where it makes sense by this machine's clock, which may be wrong.
 * @throws {CorruptError} without the answer's text.
 */
export function parseTokenAnswer(
  bytes: Uint8Array,
  { source, nowMs }: { source: string; nowMs: number },
): TokenAnswer {
  const place: JsonPlace = { subject: "token", source, isSecret: true };
  const answer = parseJsonObject(bytes, place);
  const text = [fieldOf(answer, "token"), fieldOf(answer, "access_token")].find((value) =>
    value !== undefined && value !== ""
  );
  if (typeof text !== "string" || text.length > MAX_TOKEN_LENGTH || !/^[\x21-\x7e]+$/.test(text)) {
    throw wrong(text, "token", "printable characters", place);
  }
  const stated = Number(fieldOf(answer, "expires_in") ?? NaN);
  const seconds = stated > 0 ? stated : DEFAULT_LIFETIME_SECONDS;
  const lifetimeMs = Math.min(Math.max(seconds, MIN_LIFETIME_SECONDS), MAX_LIFETIME_SECONDS) * 1000;
  const issuedAt = fieldOf(answer, "issued_at");
  const ageMs = typeof issuedAt === "string" ? nowMs - Date.parse(issuedAt) : 0;
  const usedMs = ageMs > 0 && ageMs < lifetimeMs / 2 ? ageMs : 0;
  const refreshToken = fieldOf(answer, "refresh_token");
  return {
    token: endingToken(`Bearer ${text}`, { endMs: nowMs + lifetimeMs - usedMs, lifetimeMs, nowMs }),
    refreshToken: typeof refreshToken === "string" && refreshToken !== "" ? refreshToken : undefined,
  };
}

/**
 * A token that somebody gave, to be sent as it is. Where it is a JWT, it says when it ends: it is asked for again after
 * three quarters of what is left, and as long as there is no newer one, of what is left then. Else whoever gave it is asked
 * again every five minutes, and it may be used until it is refused.
 */
export function givenToken(text: string, nowMs: number): Token {
  const endMs = jwtEndMs(text);
  const header = `Bearer ${text}`;
  if (endMs !== undefined && endMs > nowMs + MIN_LIFETIME_SECONDS * 1000) {
    return endingToken(header, { endMs, lifetimeMs: endMs - nowMs, nowMs });
  }
  return { ...lastingToken(header, nowMs), renewAtMs: nowMs + GIVEN_TOKEN_RENEWED_AFTER_MS };
}

/** A login that says nothing of its end. */
export function lastingToken(header: string, nowMs: number): Token {
  return { header, renewAtMs: Infinity, unusableAtMs: Infinity, obtainedAtMs: nowMs };
}

/** Whether `token` may be sent. */
export function isTokenUsable(token: Token, nowMs: number): boolean {
  return nowMs < token.unusableAtMs;
}

function endingToken(
  header: string,
  { endMs, lifetimeMs, nowMs }: { endMs: number; lifetimeMs: number; nowMs: number },
): Token {
  const marginMs = Math.min(lifetimeMs / 4, MAX_MARGIN_MS);
  return { header, renewAtMs: endMs - marginMs, unusableAtMs: endMs - marginMs / 3, obtainedAtMs: nowMs };
}

/** When a JWT ends by its own word, in milliseconds since 1970; undefined for other tokens. Source: RFC 7519, 4.1.4. */
function jwtEndMs(text: string): number | undefined {
  const [, payload] = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(text) ?? [];
  if (payload === undefined) return undefined;
  try {
    const exp: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"))?.exp;
    return typeof exp === "number" && exp > 0 && exp < 1e11 ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
