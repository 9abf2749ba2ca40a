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

/** What a token lives where the server does not say. Source: distribution/docs/spec/auth/token.md. */
const DEFAULT_LIFETIME_SECONDS = 60;
const MAX_MARGIN_MS = 30_000;

/**
 * The token in a token server's answer, received at `nowMs`. It is to be renewed a quarter of its life, or 30 s, before
 * it ends, and is not used in the last third of that: a request that starts before the end must also be answered before.
 * `issued_at` shortens the life only where it makes sense by this machine's clock, which may be wrong.
 * @throws {CorruptError} without the answer's text.
 */
export function parseTokenAnswer(
  bytes: Uint8Array,
  { source, nowMs }: { source: string; nowMs: number },
): Token {
  const place: JsonPlace = { subject: "token", source, isSecret: true };
  const answer = parseJsonObject(bytes, place);
  const token = [fieldOf(answer, "token"), fieldOf(answer, "access_token")].find((value) =>
    value !== undefined && value !== ""
  );
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw wrong(token, "token", "printable characters", place);
  }
  const stated = Number(fieldOf(answer, "expires_in") ?? NaN);
  const lifetimeMs = (stated > 0 && stated < 1e9 ? stated : DEFAULT_LIFETIME_SECONDS) * 1000;
  const issuedAt = fieldOf(answer, "issued_at");
  const ageMs = typeof issuedAt === "string" ? nowMs - Date.parse(issuedAt) : 0;
  const usedMs = ageMs > 0 && ageMs < lifetimeMs / 2 ? ageMs : 0;
  const marginMs = Math.min(lifetimeMs / 4, MAX_MARGIN_MS);
  const endMs = nowMs + lifetimeMs - usedMs;
  return {
    header: `Bearer ${token}`,
    renewAtMs: endMs - marginMs,
    unusableAtMs: endMs - marginMs / 3,
    obtainedAtMs: nowMs,
  };
}

/** A login that says nothing of its end. */
export function lastingToken(header: string, nowMs: number): Token {
  return { header, renewAtMs: Infinity, unusableAtMs: Infinity, obtainedAtMs: nowMs };
}

/** Whether `token` may be sent. */
export function isTokenUsable(token: Token, nowMs: number): boolean {
  return nowMs < token.unusableAtMs;
}
