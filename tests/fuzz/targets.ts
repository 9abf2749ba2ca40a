/** All kinds of input that are fuzzed. */
import { archiveFuzz } from "../archive/archive_fuzz.ts";
import { windowFuzz } from "../archive/window_fuzz.ts";
import { gzipDecoderFuzz, gzipFuzz } from "../codec/gzip/gzip_fuzz.ts";
import { zstdDecoderFuzz, zstdFuzz } from "../codec/zstd/zstd_fuzz.ts";
import { requestsFuzz } from "../fuse/requests_fuzz.ts";
import { layerFuzz } from "../indexer/layer_fuzz.ts";
import { documentsFuzz } from "../oci/documents_fuzz.ts";
import { gnuTarFuzz, tarFuzz } from "../tar/tar_fuzz.ts";
import type { FuzzTarget } from "./fuzz_target.ts";

/** Each with its share of the rounds of a run over all of them. */
export const FUZZ_TARGETS: readonly (readonly [FuzzTarget, number])[] = [
  [tarFuzz, 0.25],
  [gnuTarFuzz, 0.001],
  [gzipFuzz, 0.15],
  [gzipDecoderFuzz, 0.05],
  [zstdFuzz, 0.15],
  [zstdDecoderFuzz, 0.05],
  [documentsFuzz, 0.2],
  [archiveFuzz, 0.05],
  [windowFuzz, 0.02],
  [layerFuzz, 0.03],
  [requestsFuzz, 0.05],
];
