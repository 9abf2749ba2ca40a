import { CorruptError, describeValue } from "../base/mod.ts";

/** What an image's config says of how it is to be run. Names in the file are those of the spec, capitals included. */
export interface ImageConfig {
  /** What it runs on, `linux`. */
  readonly os: string;
  /** The processor, `amd64`. */
  readonly architecture: string;
  /** Of the processor, `v8`. */
  readonly variant: string | undefined;
  /** `os.version`. */
  readonly osVersion: string | undefined;
  /** `os.features`. */
  readonly osFeatures: readonly string[];
  /** Who made it. */
  readonly author: string | undefined;
  /** When it was made, RFC 3339. */
  readonly created: string | undefined;
  /** `user`, `uid`, `user:group`, `uid:gid`, `uid:group` or `user:gid`; empty where nothing is said. */
  readonly user: string;
  /** `NAME=value` each. */
  readonly env: readonly string[];
  /** The program, and arguments that it always gets. */
  readonly entrypoint: readonly string[];
  /** Arguments for the entrypoint, or without one a program and its arguments. */
  readonly cmd: readonly string[];
  /** Empty where nothing is said. */
  readonly workingDir: string;
  /** `port/tcp`, `port/udp` or `port`, sorted. */
  readonly exposedPorts: readonly string[];
  /** Paths in the image, sorted. */
  readonly volumes: readonly string[];
  /** Free text by name. */
  readonly labels: ReadonlyMap<string, string>;
  /** What asks the program to end, `SIGTERM`. */
  readonly stopSignal: string | undefined;
}

/**
 * An image's config, checked as far as it is used: unknown fields are left out, and null is as good as nothing, since
 * Docker writes it. No text holds a NUL, at which the kernel would cut it.
 * @param source Names the archive in errors.
 * @throws {CorruptError} naming the field.
 * Source: image-spec config.md, "Properties".
 */
export function readImageConfig(bytes: Uint8Array, source: string): ImageConfig {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const details = { subject: "image config", source, field: "text", expected: "JSON" };
    throw new CorruptError(details, { cause: error });
  }
  const image = new Fields(value, "", source);
  const config = image.child("config");
  return {
    os: image.text("os") ?? "linux",
    architecture: image.text("architecture") ?? "",
    variant: image.text("variant"),
    osVersion: image.text("os.version"),
    osFeatures: image.texts("os.features"),
    author: image.text("author"),
    created: image.text("created"),
    user: config.text("User") ?? "",
    env: config.texts("Env"),
    entrypoint: config.texts("Entrypoint"),
    cmd: config.texts("Cmd"),
    workingDir: config.text("WorkingDir") ?? "",
    exposedPorts: config.keys("ExposedPorts"),
    volumes: config.keys("Volumes"),
    labels: config.map("Labels"),
    stopSignal: config.text("StopSignal"),
  };
}

/** Typed access to the fields of an untrusted JSON object; absent and null are one. */
class Fields {
  #object: Record<string, unknown>;

  constructor(value: unknown, readonly name: string, readonly source: string) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    this.#object = isObject ? value as Record<string, unknown> : this.#bad("", value, "an object");
  }

  child(key: string): Fields {
    return new Fields(this.#get(key) ?? {}, this.#path(key), this.source);
  }

  text(key: string): string | undefined {
    const value = this.#get(key);
    return value === undefined ? undefined : this.#checkText(key, value);
  }

  texts(key: string): string[] {
    const value = this.#get(key) ?? [];
    if (!Array.isArray(value)) return this.#bad(key, value, "a list");
    return value.map((item, index) => this.#checkText(`${key}[${index}]`, item));
  }

  keys(key: string): string[] {
    const names = Object.keys(this.child(key).#object);
    return names.map((name) => this.#checkText(`${key}, a name in it`, name)).sort();
  }

  map(key: string): Map<string, string> {
    const child = this.child(key);
    return new Map(this.keys(key).map((name) => [name, child.text(name) ?? ""]));
  }

  #get(key: string): unknown {
    return Object.hasOwn(this.#object, key) ? this.#object[key] ?? undefined : undefined;
  }

  #path(key: string): string {
    return [this.name, key].filter((part) => part !== "").join(".");
  }

  #checkText(key: string, value: unknown): string {
    if (typeof value !== "string") return this.#bad(key, value, "text");
    return value.includes("\0") ? this.#bad(key, value, "text without NUL") : value;
  }

  #bad(key: string, value: unknown, expected: string): never {
    const field = this.#path(key) === "" ? "top level" : this.#path(key);
    const details = { subject: "image config", source: this.source, field, actual: describeValue(value), expected };
    throw new CorruptError(details);
  }
}
