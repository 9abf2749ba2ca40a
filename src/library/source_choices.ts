import { type Logger, SILENT } from "../base/mod.ts";
import { Logins, type SourceOptions } from "../oci/mod.ts";

/** How registries are reached. `fetch` may be replaced; `log` is silent where none is given. */
export type SourceChoices = Omit<SourceOptions, "log"> & { readonly log?: Logger | undefined };

/** The same as the source of an image takes it, taken out of options that may hold more. */
export function sourceOptions({ log = SILENT, ...rest }: SourceChoices): SourceOptions {
  return { logins: new Logins({ log }), ...rest, log };
}
