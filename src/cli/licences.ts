import { ClipError, messageOf } from "../base/mod.ts";

/**
 * The licences of all that runs: of an executable those that scripts/compile.ts has put beside its modules; of the source
 * clip's own.
 * @throws {ClipError} where they are not there.
 */
export async function readLicences(): Promise<string> {
  const file = new URL(Deno.build.standalone ? "./licences.txt" : "../../LICENSE", import.meta.url);
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new ClipError("not_found", `the licences are not to be found: ${messageOf(error)}`, { cause: error });
  }
}
