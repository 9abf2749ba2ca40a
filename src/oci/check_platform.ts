import { ClipError } from "../base/mod.ts";
import { formatPlatform, type Platform, platformDistance } from "./platform.ts";

/**
 * `actual`, what a config says that its image runs on, if that is `wanted`: for images that were not picked by platform.
 * @throws {ClipError} naming both.
 */
export function checkPlatform(actual: Platform | undefined, wanted: Platform, name: string): Platform {
  if (actual === undefined) {
    throw new ClipError("corrupt", `${name}: its config does not say what platform it is for`);
  }
  if (platformSuits(actual, wanted)) return actual;
  throw new ClipError(
    "not_found",
    `${name} is an image for ${formatPlatform(actual)}, not for ${formatPlatform(wanted)}; ` +
      `ask for it with --platform ${formatPlatform(actual)}`,
  );
}

/** Whether a config's platform is the one wanted. Configs often leave out the variant: then it is no objection. */
export function platformSuits(actual: Platform, wanted: Platform): boolean {
  const comparable = actual.variant === undefined ? { os: wanted.os, architecture: wanted.architecture } : wanted;
  return platformDistance(comparable, actual) !== undefined;
}
