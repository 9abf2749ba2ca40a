import { ClipError } from "../../base/mod.ts";
import { isObject, type JsonObject } from "../json_fields.ts";

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * What a TOML file says; undefined where there is no file. Keys keep the order that they have in the file.
 * @throws {ClipError} naming the file and the line; `not_found` where `mustExist`.
 */
export async function readTomlFile(
  path: string,
  { mustExist }: { mustExist: boolean },
): Promise<TomlTable | undefined> {
  const text = await readTextFile(path, { mustExist });
  if (text === undefined) return undefined;
  // Most machines have no such file.
  const { parse, TomlError } = await import("smol-toml");
  try {
    return new TomlTable(parse(text) as JsonObject, path, "");
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The library's message shows the text around, which may be a header with a secret.
    const [problem] = error.message.split("\n");
    throw new ClipError("corrupt", `${path}:${error.line}:${error.column}: ${problem}`);
  }
}

/** A file's text; undefined where there is none. @throws {ClipError} */
export async function readTextFile(path: string, { mustExist }: { mustExist: boolean }): Promise<string | undefined> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new ClipError("limit", `${path} has ${size} bytes, at most ${MAX_FILE_BYTES} are read`);
    }
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof ClipError) throw error;
    const missing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
    if (missing && !mustExist) return undefined;
    const why = missing ? "it does not exist" : error instanceof Error ? error.name : "it cannot be opened";
    throw new ClipError(missing ? "not_found" : "io", `cannot read ${path}: ${why}`);
  }
}

/** A table of a TOML file, whose values are asked for by type. Messages name file and key, never a value. */
export class TomlTable {
  readonly #values: JsonObject;
  readonly #path: string;
  readonly #name: string;

  /** @param name Of the table in its file, for messages; empty for the file itself. */
  constructor(values: JsonObject, path: string, name: string) {
    this.#values = values;
    this.#path = path;
    this.#name = name;
  }

  /** The file. */
  get path(): string {
    return this.#path;
  }

  /** The names of the values, in the file's order. */
  keys(): string[] {
    return Object.keys(this.#values);
  }

  /** The value of `key`, of whatever type. */
  value(key: string): unknown {
    return Object.hasOwn(this.#values, key) ? this.#values[key] : undefined;
  }

  /** A string. @throws {ClipError} */
  string(key: string): string | undefined {
    const value = this.value(key);
    if (value !== undefined && typeof value !== "string") throw this.wrong(key, "a string");
    return value;
  }

  /** True or false. @throws {ClipError} */
  boolean(key: string): boolean | undefined {
    const value = this.value(key);
    if (value !== undefined && typeof value !== "boolean") throw this.wrong(key, "true or false");
    return value;
  }

  /** Strings, or a single one. @throws {ClipError} */
  strings(key: string): string[] {
    const value = this.value(key) ?? [];
    if (typeof value === "string") return [value];
    if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) throw this.wrong(key, "strings");
    return value;
  }

  /** A table. @throws {ClipError} */
  table(key: string): TomlTable | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.wrong(key, "a table");
    return new TomlTable(value, this.#path, this.#nameOf(key));
  }

  /** Tables that follow one another. @throws {ClipError} */
  tables(key: string): TomlTable[] {
    const value = this.value(key) ?? [];
    if (!Array.isArray(value) || !value.every(isObject)) throw this.wrong(key, "tables ([[…]])");
    return value.map((each, index) => new TomlTable(each, this.#path, `${this.#nameOf(key)}[${index}]`));
  }

  /** The error that says that the value of `key` is none that is understood. */
  wrong(key: string, expected: string): ClipError {
    return new ClipError("corrupt", `${this.#path}: ${this.#nameOf(key)}: expected ${expected}`);
  }

  #nameOf(key: string): string {
    return this.#name === "" ? key : `${this.#name}.${key}`;
  }
}
