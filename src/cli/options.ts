/** Options that several commands share. */
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { choice, string } from "@optique/core/valueparser";
import { DEFAULT_REMOTE_TIMEOUT_MS } from "../cache/mod.ts";
import { INFLATE_NAMES } from "../codec/mod.ts";
import { duration, path, size, valueOf } from "./basic_options.ts";
import { loginOptions } from "./login_options.ts";
import { networkOptions } from "./network_options.ts";
import { parseRemoteCache } from "./open_remote_caches.ts";

/** How registries are reached. */
export const registryOptions = object("Registry", {
  plainHttp: withDefault(
    flag("--plain-http", { description: message`Talk to the registry without TLS.` }),
    false,
  ),
  login: loginOptions,
  network: networkOptions,
});

/** Who inflates. */
export const inflateOption = withDefault(
  option("--inflate", choice(INFLATE_NAMES, { metavar: "NAME" }), {
    description:
      message`Who inflates gzip: clip's own WebAssembly kernel, or pako where WebAssembly is refused; default kernel.`,
  }),
  "kernel" as const,
);

/** Another place to fetch layers from. */
export const sourceOption = optional(
  option("--source", string({ metavar: "IMAGE" }), {
    description: message`Fetch layers from here instead of where the image was indexed: a mirror, a copy.`,
  }),
);

/** Where the caches are. */
export const cacheDirOption = optional(
  option("--cache-dir", path("DIR"), {
    description: message`Where fetched layers are kept; default $CLIP_CACHE_DIR, or clip in the user's cache folder. \
none: in memory, as far as that goes.`,
  }),
);

/** Where the disk cache is, and how large it may get: options of every command that reads it or keeps it. */
export const cacheOptionFields = {
  cacheDir: cacheDirOption,
  cacheSize: optional(
    option("--cache-size", size(), {
      description: message`What they may take of the disk; those used longest ago make room. Default $CLIP_CACHE_SIZE, \
or a tenth of the disk, at most 10GiB.`,
    }),
  ),
  cacheReserve: optional(
    option("--cache-reserve", size(), {
      description: message`How much of the disk they leave free; default a twentieth, at most 1GiB.`,
    }),
  ),
};

/** Which caches are shared with other machines. */
export const remoteCacheOptionFields = {
  remoteCaches: multiple(
    option("--remote-cache", valueOf("URL|none", "none", parseRemoteCache, (url) => url), {
      description: message`A cache shared with other machines: redis://[[user]:password@]host[:port][/database], \
rediss://, s3://bucket/prefix, http://host/path or https://; several are asked in this order. Default \
$CLIP_REMOTE_CACHE, where passwords are not seen by others.`,
    }),
  ),
  remoteCacheTimeoutMs: withDefault(
    option("--remote-cache-timeout", duration(), {
      description: message`A remote cache that takes longer for one value is done without for a while; default 500ms.`,
    }),
    DEFAULT_REMOTE_TIMEOUT_MS,
  ),
};

/** How files' contents are reached, for commands that read them. */
export const contentOptions = object("Reading", {
  ...cacheOptionFields,
  noCheckpoints: withDefault(
    flag("--no-checkpoints", { description: message`Do not use checkpoints: inflate whole layers.` }),
    false,
  ),
  inflate: inflateOption,
  source: sourceOption,
  ...remoteCacheOptionFields,
  deadlineMs: withDefault(
    option("--deadline", duration(), {
      description: message`A read for which the registry takes longer fails; default 30s.`,
    }),
    30_000,
  ),
  offline: withDefault(
    flag("--offline", {
      description: message`Never ask a registry for anything: what is not in a cache fails.`,
    }),
    false,
  ),
});
