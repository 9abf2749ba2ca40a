import { fuzzTest } from "../../fuzz/fuzz_target.ts";
import { gzipDecoderFuzz, gzipFuzz } from "./gzip_fuzz.ts";

fuzzTest(gzipFuzz, { rounds: 4000, accepted: [0, 0.5] });
fuzzTest(gzipDecoderFuzz, { rounds: 2000, accepted: [0, 1] });
