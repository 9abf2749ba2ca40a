import { fuzzTest } from "../fuzz/fuzz_target.ts";
import { layerFuzz } from "./layer_fuzz.ts";

fuzzTest(layerFuzz, { rounds: 400, accepted: [0.02, 0.98] });
