/** Images' configs, and the runtime configurations that they become. */
import { convertConfig, type ImageConfig, readImageConfig, type RuntimeConfig } from "../../src/bundle/mod.ts";
import type { Conversion, Overrides } from "../../src/bundle/mod.ts";

/** An image's config from JSON. */
export function imageConfig(value: unknown): ImageConfig {
  return readImageConfig(new TextEncoder().encode(JSON.stringify(value)), "image.clip");
}

/** A config with these fields in its `config`. */
export function configOf(config: Record<string, unknown>): ImageConfig {
  return imageConfig({ os: "linux", architecture: "amd64", config });
}

const NO_OVERRIDES: Overrides = {
  env: [],
  entrypoint: undefined,
  command: [],
  workingDir: undefined,
  hostname: "clip",
  readOnly: false,
  terminal: false,
};

/** Converts with nothing asked for but what is given. */
export function convert(
  image: ImageConfig,
  { overrides = {}, ...rest }: Partial<Omit<Conversion, "overrides">> & { overrides?: Partial<Overrides> } = {},
): RuntimeConfig {
  return convertConfig({
    image,
    user: { uid: 0, gid: 0 },
    setting: { network: "none", cgroup2: false, userNamespace: false },
    rootPath: "rootfs",
    mounts: [],
    warn: (message) => {
      throw new Error(`a warning: ${message}`);
    },
    ...rest,
    overrides: { ...NO_OVERRIDES, ...overrides },
  });
}
