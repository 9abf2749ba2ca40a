import { fuzzTest } from "../../fuzz/fuzz_target.ts";
import { zstdDecoderFuzz, zstdFuzz } from "./zstd_fuzz.ts";

fuzzTest(zstdFuzz, { rounds: 4000, accepted: [0, 0.5] });
fuzzTest(zstdDecoderFuzz, { rounds: 1000, accepted: [0, 1] });
