/** How images are indexed: the options of `clip index`, and of the commands that index an image they do not know. */
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { choice, integer } from "@optique/core/valueparser";
import { MIB, parseSize } from "../base/mod.ts";
import { type InflateName, STRATEGY_NAMES, type StrategyName } from "../codec/mod.ts";
import {
  DEFAULT_FILE_CHECKPOINT_BYTES,
  DEFAULT_MAX_ENTRIES,
  DEFAULT_SPACING_BYTES,
  defaultStrategy,
  type ScanLayerOptions,
} from "../indexer/mod.ts";
import type { Platform } from "../oci/mod.ts";
import { size, valueOf } from "./basic_options.ts";
import { platformOption } from "./platform_option.ts";
import { PROGRESS_MODES, type ProgressMode } from "./progress.ts";

/** Spacing of checkpoints in MiB that suits a use. */
const USE_CASES = { "balanced": DEFAULT_SPACING_BYTES / MIB, "fast-index": 8, "fast-read": 1 } as const;
/** Spans without a cut are up to twice as long as the spacing, and a reader holds one in memory. */
const MAX_SPACING_MIB = 64;

const fileCheckpoints = valueOf<number | null>(
  "SIZE|off",
  null,
  (text) => text === "off" ? null : parseSize(text),
  (value) => value === null ? "off" : String(value),
);

/** What an archive is made of, and how. */
export const indexingOptions = object("Indexing", {
  useCase: withDefault(
    option("--use-case", choice(Object.keys(USE_CASES) as (keyof typeof USE_CASES)[], { metavar: "NAME" }), {
      description: message`Spacing of checkpoints by purpose: 2, 8 or 1 MiB; default balanced.`,
    }),
    "balanced" as const,
  ),
  checkpointMib: optional(option("--checkpoint-mib", integer({ metavar: "N", min: 1, max: MAX_SPACING_MIB }), {
    description: message`Spacing of checkpoints in MiB of plain data; overrides --use-case.`,
  })),
  checkpoints: optional(option("--checkpoints", choice(STRATEGY_NAMES, { metavar: "STRATEGY" }), {
    description: message`How places to start at are chosen; default exact (file with --inflate pako).`,
  })),
  fileCheckpoints: withDefault(
    option("--file-checkpoints", fileCheckpoints, {
      description: message`A checkpoint before each file of at least this size; default 512KiB.`,
    }),
    DEFAULT_FILE_CHECKPOINT_BYTES,
  ),
  maxLayerBytes: optional(option("--max-layer-size", size(), {
    description:
      message`Refuse layers that unpack to more; default 64GiB, but no more than 4GiB and 1032 times what they \
take compressed.`,
  })),
  maxEntries: withDefault(
    option("--max-entries", integer({ metavar: "N", min: 1 }), {
      description:
        message`Refuse images of more files and directories; default 4000000. Each takes up to 1 KB of memory.`,
    }),
    DEFAULT_MAX_ENTRIES,
  ),
  platform: platformOption,
  jobs: withDefault(
    option("-j", "--jobs", integer({ metavar: "N", min: 1, max: 256 }), {
      description: message`Layers read at once; default the number of processors.`,
    }),
    navigator.hardwareConcurrency,
  ),
  progress: withDefault(
    option("--progress", choice(PROGRESS_MODES, { metavar: "MODE" }), {
      description:
        message`How progress is shown on standard error; default auto: bars on a terminal, else plain lines.`,
    }),
    "auto" as const,
  ),
});

/** The values of {@linkcode indexingOptions}. */
export interface IndexingChoices {
  readonly useCase: keyof typeof USE_CASES;
  readonly checkpointMib: number | undefined;
  readonly checkpoints: StrategyName | undefined;
  readonly fileCheckpoints: number | null;
  readonly maxLayerBytes: number | undefined;
  readonly maxEntries: number;
  readonly platform: Platform;
  readonly jobs: number;
  readonly progress: ProgressMode;
}

/** For who makes an index anew, with the options of another. */
export function defaultIndexing(platform: Platform): IndexingChoices {
  return {
    useCase: "balanced",
    checkpointMib: undefined,
    checkpoints: undefined,
    fileCheckpoints: DEFAULT_FILE_CHECKPOINT_BYTES,
    maxLayerBytes: undefined,
    maxEntries: DEFAULT_MAX_ENTRIES,
    platform,
    jobs: navigator.hardwareConcurrency,
    progress: "auto",
  };
}

/** The same in the indexer's words: all that has an influence on the archive. */
export function scanOptions(indexing: IndexingChoices, inflate: InflateName): ScanLayerOptions {
  return {
    strategy: indexing.checkpoints ?? defaultStrategy(inflate),
    spacingBytes: (indexing.checkpointMib ?? USE_CASES[indexing.useCase]) * MIB,
    fileCheckpointBytes: indexing.fileCheckpoints,
  };
}
