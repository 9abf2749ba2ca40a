import type { Digest } from "../base/mod.ts";
import {
  digestValue,
  fieldOf,
  type JsonObject,
  type JsonPlace,
  listField,
  objectField,
  parseJsonObject,
  stringField,
  stringListField,
  wrong,
} from "./json_fields.ts";
import type { Platform } from "./platform.ts";

/**
 * The parts of an image's config that clip or its users need, in the spec's spelling. Their types are checked; null
 * and absent are the same; other fields are left out (an image's `configBytes` hold them all).
 * Source: OCI image-spec config.md.
 */
export interface ImageConfig {
  /** Empty where the config does not say. */
  readonly os: string;
  /** Empty where the config does not say. */
  readonly architecture: string;
  /** `v7`, `v8`… */
  readonly variant?: string;
  /** When it was made, in RFC 3339. */
  readonly created?: string;
  /** Who made it. */
  readonly author?: string;
  /** How to run a container. */
  readonly config?: RunConfig;
  /** The digests of the uncompressed layers, bottom first. */
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly Digest[] };
}

/** How a container of the image is to be run, where the user does not say otherwise. */
export interface RunConfig {
  /** `user`, `uid`, `user:group` or `uid:gid`. */
  readonly User?: string;
  /** `NAME=value` each. */
  readonly Env?: readonly string[];
  /** The program and its first arguments. */
  readonly Entrypoint?: readonly string[];
  /** Arguments to the entry point, or the program where there is none. */
  readonly Cmd?: readonly string[];
  /** An absolute path. */
  readonly WorkingDir?: string;
  /** `SIGTERM`… */
  readonly StopSignal?: string;
  /** Free text by name. */
  readonly Labels?: Readonly<Record<string, string>>;
  /** Keys such as `80/tcp`; the values mean nothing. */
  readonly ExposedPorts?: Readonly<Record<string, unknown>>;
  /** Keys are paths; the values mean nothing. */
  readonly Volumes?: Readonly<Record<string, unknown>>;
}

/** The largest config that is read. */
export const MAX_CONFIG_BYTES: number = 16 * 1024 * 1024;
/** The most layers an image may have. */
export const MAX_LAYERS = 4096;
const MAX_LIST_LENGTH = 65_536;

/** The image config in `bytes`; `source` says where it came from. @throws {CorruptError} */
export function parseImageConfig(bytes: Uint8Array, source: string): ImageConfig {
  const place: JsonPlace = { subject: "image config", source };
  const object = parseJsonObject(bytes, place);
  const rootfs = objectField(object, "rootfs", place);
  if (rootfs === undefined) throw wrong(undefined, "rootfs", "an object", place);
  const type = stringField(rootfs, "type", place) ?? "layers";
  if (type !== "layers") throw wrong(type, "rootfs.type", "layers", place);
  const diffIds = (listField(rootfs, "diff_ids", MAX_LAYERS, place) ?? [])
    .map((value, index) => digestValue(value, `rootfs.diff_ids[${index}]`, place));
  const run = objectField(object, "config", place);
  return {
    os: stringField(object, "os", place) ?? "",
    architecture: stringField(object, "architecture", place) ?? "",
    ...presentStrings(object, ["variant", "created", "author"], place),
    ...(run === undefined ? {} : { config: parseRunConfig(run, place) }),
    rootfs: { type, diff_ids: diffIds },
  };
}

/** What `config` says it runs on; undefined where it does not. */
export function configPlatform(config: ImageConfig): Platform | undefined {
  if (config.os === "" || config.architecture === "") return undefined;
  const { os, architecture, variant } = config;
  return { os, architecture, ...(variant === undefined || variant === "" ? {} : { variant }) };
}

function parseRunConfig(run: JsonObject, place: JsonPlace): RunConfig {
  const result: Record<string, unknown> = presentStrings(run, ["User", "WorkingDir", "StopSignal"], place);
  for (const name of ["Env", "Entrypoint", "Cmd"]) {
    // Docker once wrote a single string for Entrypoint and Cmd: shell form, before it was made a list.
    const list = typeof fieldOf(run, name) === "string"
      ? [fieldOf(run, name)]
      : stringListField(run, name, MAX_LIST_LENGTH, place);
    if (list !== undefined) result[name] = list;
  }
  for (const name of ["ExposedPorts", "Volumes"]) {
    const keys = objectField(run, name, place);
    if (keys !== undefined) result[name] = keys;
  }
  const labels = objectField(run, "Labels", place);
  const odd = labels === undefined ? undefined : Object.values(labels).find((value) => typeof value !== "string");
  if (odd !== undefined) throw wrong(odd, "config.Labels", "string values", place);
  if (labels !== undefined) result["Labels"] = labels;
  return result;
}

function presentStrings(object: JsonObject, names: readonly string[], place: JsonPlace): Record<string, string> {
  const result: Record<string, string> = {};
  for (const name of names) {
    const value = stringField(object, name, place);
    if (value !== undefined) result[name] = value;
  }
  return result;
}
