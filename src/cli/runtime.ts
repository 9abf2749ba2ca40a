/** Programs that start containers: runc, crun and those that are called as they are. */
import { accessSync, constants } from "node:fs";
import { ClipError } from "../base/mod.ts";
import type { Io } from "./io.ts";

const KNOWN_RUNTIMES = ["runc", "crun", "youki"];

/**
 * The path of a runtime: `name`, by path or on the PATH, or the first known one there.
 * @throws {ClipError} `not_found`
 */
export function findRuntime(name: string | undefined, io: Io): string {
  if (name?.includes("/")) return isProgram(name) ? name : missing(`there is no program ${name}`);
  // Where Debian and others have runtimes, on the PATH of root alone.
  const folders = [...(io.env("PATH") ?? "").split(":"), "/usr/local/sbin", "/usr/sbin"].filter((path) => path !== "");
  for (const program of name === undefined ? KNOWN_RUNTIMES : [name]) {
    const folder = folders.find((candidate) => isProgram(`${candidate}/${program}`));
    if (folder !== undefined) return `${folder}/${program}`;
  }
  return missing(
    `there is no ${name ?? KNOWN_RUNTIMES.join(", ")} on the PATH; a runtime is needed: install runc or crun`,
  );
}

function missing(message: string): never {
  throw new ClipError("not_found", message);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
