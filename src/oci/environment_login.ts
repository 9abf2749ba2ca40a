import { ClipError } from "../base/mod.ts";
import { type Login, userCredential } from "./credential.ts";

const PREFIX = "CLIP_REGISTRY";

/**
 * What the environment says of `registry`, by variables with the host in their names (`CLIP_REGISTRY_PASSWORD__GHCR_IO`);
 * with undefined, by those without. A token counts before a user.
 * @throws {ClipError} for half of a login.
 */
export function environmentLogin(
  env: (name: string) => string | undefined,
  registry: string | undefined,
): Login | undefined {
  const suffix = registry === undefined ? "" : hostSuffix(registry);
  if (suffix === undefined) return undefined;
  const name = (part: string) => `${PREFIX}_${part}${suffix}`;
  const value = (part: string) => env(name(part)) || undefined;
  const token = value("TOKEN");
  if (token !== undefined) {
    if (!/^[\x21-\x7e]+$/.test(token)) throw new ClipError("denied", `$${name("TOKEN")}: no printable characters`);
    return { credential: { kind: "bearer", token }, origin: `$${name("TOKEN")}` };
  }
  const [username, password] = [value("USER"), value("PASSWORD")];
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined) {
    const [there, missing] = username === undefined ? ["PASSWORD", "USER"] : ["USER", "PASSWORD"];
    throw new ClipError("denied", `$${name(there)} is set, and $${name(missing)} is not`);
  }
  return { credential: userCredential(username, password), origin: `$${name("PASSWORD")}` };
}

/**
 * A host in the name of a variable: `.` is `_`, `-` is `__`, `:` is `___`. As no host has two of the first in a row, nor
 * one of them beside another, no two hosts become the same. Undefined for others, such as IPv6 addresses.
 */
function hostSuffix(registry: string): string | undefined {
  const host = /^(?:[a-z0-9]+(?:(?:\.|-+)[a-z0-9]+)*)(?::\d+)?$/i;
  if (!host.test(registry)) return undefined;
  return `__${registry.replaceAll(":", "___").replaceAll("-", "__").replaceAll(".", "_").toUpperCase()}`;
}
