import { UsageError } from "../base/mod.ts";
import { show } from "./errors.ts";

/** What an image runs on, in Go's words. Source: OCI image-spec image-index.md, "platform". */
export interface Platform {
  /** `linux`… */
  readonly os: string;
  /** `amd64`, `arm64`… */
  readonly architecture: string;
  /** `v7`…; absent where it is the architecture's plain one (arm64's `v8`, amd64's `v1`). */
  readonly variant?: string;
}

const ARCHITECTURE_ALIASES: Readonly<Record<string, readonly [string, string?]>> = {
  "x86_64": ["amd64"],
  "x86-64": ["amd64"],
  "aarch64": ["arm64"],
  "armhf": ["arm", "v7"],
  "armel": ["arm", "v6"],
  "i386": ["386"],
};

/**
 * The platform that `os/architecture[/variant]` names, in its plain form: `linux/aarch64/v8` is `linux/arm64`,
 * `linux/arm` is `linux/arm/v7`. @throws {UsageError}
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  if (parts.length < 2 || parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]{1,32}$/.test(part))) {
    throw new UsageError(`"${show(text)}" is not a platform; write it like linux/amd64 or linux/arm/v7`);
  }
  return plainPlatform({
    os: parts[0]!,
    architecture: parts[1]!,
    ...(parts[2] === undefined ? {} : { variant: parts[2] }),
  });
}

/** `os/architecture[/variant]`; safe to print whatever the platform came from. */
export function formatPlatform(platform: Platform): string {
  const variant = platform.variant === undefined ? "" : `/${platform.variant}`;
  return show(`${platform.os}/${platform.architecture}${variant}`, 100);
}

/** The platform of images that this machine runs: always Linux, the system clip mounts on. */
export function machinePlatform(): Platform {
  return plainPlatform({ os: "linux", architecture: Deno.build.arch });
}

/** `platform` with aliases replaced and variants that go without saying left out (or, for arm, put in). */
export function plainPlatform(platform: Platform): Platform {
  const alias = Object.hasOwn(ARCHITECTURE_ALIASES, platform.architecture)
    ? ARCHITECTURE_ALIASES[platform.architecture]
    : undefined;
  const architecture = alias?.[0] ?? platform.architecture;
  let variant = platform.variant === undefined || platform.variant === "" ? alias?.[1] : platform.variant;
  if (variant !== undefined && /^\d/.test(variant)) variant = `v${variant}`;
  if (architecture === "arm64" && variant === "v8") variant = undefined;
  if (architecture === "amd64" && variant === "v1") variant = undefined;
  if (architecture === "arm" && variant === undefined) variant = "v7";
  return { os: platform.os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/**
 * How well an image for `offered` suits a machine that asks for `wanted`: 0 is the same platform, larger is an older
 * variant that still runs there (arm/v6 on v7, amd64 on amd64/v3), undefined is one that does not.
 */
export function platformDistance(wanted: Platform, offered: Platform): number | undefined {
  const want = plainPlatform(wanted);
  const offer = plainPlatform(offered);
  if (want.os !== offer.os || want.architecture !== offer.architecture) return undefined;
  if (want.variant === offer.variant) return 0;
  const distance = variantLevel(want) - variantLevel(offer);
  return distance >= 0 ? distance : undefined;
}

/** The variant as a number that grows with what the machine can do; NaN where variants have no order. */
function variantLevel({ architecture, variant }: Platform): number {
  const plain = architecture === "arm64" ? "v8" : architecture === "amd64" ? "v1" : undefined;
  const match = /^v(\d{1,2})(?:\.(\d{1,2}))?$/.exec(variant ?? plain ?? "");
  if (match === null || !["arm", "arm64", "amd64"].includes(architecture)) return NaN;
  return Number(match[1]) + Number(match[2] ?? 0) / 100;
}
