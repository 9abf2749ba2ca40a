import { CorruptError, describeValue, type Digest, parseDigest } from "../base/mod.ts";
import { MAX_LAYERS } from "./layout.ts";
import type { ImageInfo, LayerInfo } from "./model.ts";

/** The image section, every field checked. @throws {CorruptError} naming the field. */
export function readImageInfo(bytes: Uint8Array, source: string): ImageInfo {
  const place = { subject: "archive", source };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.slice()));
  } catch (error) {
    throw new CorruptError({ ...place, field: "image section", expected: "JSON" }, { cause: error });
  }
  const image = new Fields(value, "image", source);
  const platform = image.child("platform");
  const variant = platform.optionalText("variant");
  const options = image.child("options");
  const fileCheckpointBytes = options.raw("fileCheckpointBytes") === null ? null : options.count("fileCheckpointBytes");
  const list = image.list("layers");
  if (list.length > MAX_LAYERS) {
    const expected = `at most ${MAX_LAYERS}`;
    throw new CorruptError({ ...place, field: "layer count", actual: list.length, expected });
  }
  const layers = list.map((layer, index) => readLayer(new Fields(layer, `layers[${index}]`, source)));
  return {
    source: image.text("source"),
    platform: {
      os: platform.text("os"),
      architecture: platform.text("architecture"),
      ...(variant === undefined ? {} : { variant }),
    },
    manifestDigest: image.digest("manifestDigest"),
    manifestMediaType: image.text("manifestMediaType"),
    configDigest: image.digest("configDigest"),
    options: {
      strategy: options.text("strategy"),
      spacingBytes: options.count("spacingBytes"),
      fileCheckpointBytes,
    },
    layers,
  };
}

function readLayer(layer: Fields): LayerInfo {
  return {
    digest: layer.digest("digest"),
    diffId: layer.digest("diffId"),
    mediaType: layer.text("mediaType"),
    codec: layer.text("codec"),
    compressedBytes: layer.count("compressedBytes"),
    plainBytes: layer.count("plainBytes"),
    checkpoints: layer.count("checkpoints"),
    spans: layer.count("spans"),
  };
}

/** Typed access to the fields of an untrusted JSON object. */
class Fields {
  #object: Record<string, unknown>;

  constructor(value: unknown, readonly name: string, readonly source: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.#bad("", value, "an object");
    this.#object = value as Record<string, unknown>;
  }

  raw(key: string): unknown {
    return Object.hasOwn(this.#object, key) ? this.#object[key] : undefined;
  }

  child(key: string): Fields {
    return new Fields(this.raw(key), `${this.name}.${key}`, this.source);
  }

  list(key: string): unknown[] {
    const value = this.raw(key);
    return Array.isArray(value) ? value : this.#bad(key, value, "a list");
  }

  text(key: string): string {
    const value = this.raw(key);
    return typeof value === "string" ? value : this.#bad(key, value, "text");
  }

  optionalText(key: string): string | undefined {
    return this.raw(key) === undefined ? undefined : this.text(key);
  }

  count(key: string): number {
    const value = this.raw(key);
    const ok = typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
    return ok ? value : this.#bad(key, value, "a whole number");
  }

  digest(key: string): Digest {
    return parseDigest(this.raw(key), { subject: "archive", field: `${this.name}.${key}`, source: this.source });
  }

  #bad(key: string, value: unknown, expected: string): never {
    const field = key === "" ? this.name : `${this.name}.${key}`;
    const actual = describeValue(value);
    throw new CorruptError({ subject: "archive", source: this.source, field, actual, expected });
  }
}
