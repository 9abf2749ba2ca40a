/** How a mount tells of itself: options of `clip mount`. */
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { formatListenAddress, type ListenAddress, parseListenAddress } from "../metrics/mod.ts";
import { path, valueOf } from "./basic_options.ts";

/** The values of {@linkcode reportOptions}. */
export interface ReportChoices {
  /** Where to serve metrics. */
  readonly metrics: ListenAddress | undefined;
  /** The file for a line a read. */
  readonly trace: string | undefined;
}

const NO_ADDRESS: ListenAddress = { transport: "unix", path: "/" };

/** What a mount tells, besides what `clip stats` asks for. */
export const reportOptions = object("Telling", {
  metrics: optional(
    option("--metrics", valueOf("ADDRESS", NO_ADDRESS, parseListenAddress, formatListenAddress), {
      description: message`Serve metrics for Prometheus at /metrics of this address: HOST:PORT or unix:/PATH.`,
    }),
  ),
  trace: optional(
    option("--trace", path("FILE"), {
      description: message`Add a line of JSON to this file for each read that reaches the mount.`,
    }),
  ),
});
