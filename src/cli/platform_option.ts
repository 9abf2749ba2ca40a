import { message } from "@optique/core/message";
import { map, optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { machinePlatform, parsePlatform } from "../oci/mod.ts";

/** For which platform. */
export const platformOption = map(
  optional(option("--platform", string({ metavar: "OS/ARCH[/VARIANT]" }), {
    description: message`Which image of an index; default this machine's.`,
  })),
  (text) => text === undefined ? machinePlatform() : parsePlatform(text),
);
