import { CorruptError, type Digest, isDigest } from "../base/mod.ts";
import { show } from "./errors.ts";

/** What is being read, for messages. */
export interface JsonPlace {
  /** `"manifest"`, `"index"`, `"image config"`… */
  readonly subject: string;
  /** Where it came from; never holds a secret. */
  readonly source: string;
  /** Values may be secrets, and are in no message. */
  readonly isSecret?: boolean;
}

/** A JSON object whose fields are not checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The JSON value in `bytes`. What the parser says is not passed on: it quotes the text, which may be a secret.
 * @throws {CorruptError}
 */
export function parseJson(bytes: Uint8Array, place: JsonPlace): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new CorruptError({ subject: place.subject, source: place.source, field: "JSON text" });
  }
}

/** The JSON object in `bytes`. @throws {CorruptError} */
export function parseJsonObject(bytes: Uint8Array, place: JsonPlace): JsonObject {
  const value = parseJson(bytes, place);
  if (!isObject(value)) throw wrong(value, "top level", "an object", place);
  return value;
}

/** Whether `value` is an object of JSON, neither null nor an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A field's value, where null counts as absent (Go's encoders write it for empty maps and lists). */
export function fieldOf(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] ?? undefined : undefined;
}

/** A field that is an object, or absent. @throws {CorruptError} */
export function objectField(object: JsonObject, name: string, place: JsonPlace): JsonObject | undefined {
  const value = fieldOf(object, name);
  if (value === undefined || isObject(value)) return value;
  throw wrong(value, name, "an object", place);
}

/** A field that is a string, or absent. @throws {CorruptError} */
export function stringField(object: JsonObject, name: string, place: JsonPlace): string | undefined {
  const value = fieldOf(object, name);
  if (value === undefined || typeof value === "string") return value;
  throw wrong(value, name, "a string", place);
}

/** A field that is a whole number from 0 to 2^53−1. @throws {CorruptError} also where it is absent. */
export function sizeField(object: JsonObject, name: string, place: JsonPlace): number {
  const value = fieldOf(object, name);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(value, name, "a whole number from 0 to 9007199254740991", place);
}

/** A field that is a list of at most `limit` items, or absent. @throws {CorruptError} */
export function listField(
  object: JsonObject,
  name: string,
  limit: number,
  place: JsonPlace,
): readonly unknown[] | undefined {
  const value = fieldOf(object, name);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw wrong(value, name, "a list", place);
  if (value.length > limit) throw wrong(value.length, `${name} (length)`, `at most ${limit}`, place);
  return value;
}

/** A field that is a list of strings, or absent. @throws {CorruptError} */
export function stringListField(
  object: JsonObject,
  name: string,
  limit: number,
  place: JsonPlace,
): readonly string[] | undefined {
  const list = listField(object, name, limit, place);
  const odd = list?.findIndex((item) => typeof item !== "string") ?? -1;
  if (odd >= 0) throw wrong(list![odd], `${name}[${odd}]`, "a string", place);
  return list as readonly string[] | undefined;
}

/** `value`, found at `field`, as a digest. @throws {CorruptError} */
export function digestValue(value: unknown, field: string, place: JsonPlace): Digest {
  if (isDigest(value)) return value;
  throw wrong(value, field, "sha256:<64 hex digits> or sha512:<128 hex digits>", place);
}

/** The error for a field that is not what it should be. */
export function wrong(actual: unknown, field: string, expected: string, place: JsonPlace): CorruptError {
  const { subject, source, isSecret = false } = place;
  const found = actual === undefined ? "nothing" : isSecret ? "something else" : show(actual, 100);
  return new CorruptError({ subject, source, field, actual: found, expected });
}
