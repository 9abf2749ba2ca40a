import { fuzzTest } from "../fuzz/fuzz_target.ts";
import { windowFuzz } from "./window_fuzz.ts";

fuzzTest(windowFuzz, { rounds: 3000, accepted: [0.05, 0.95] });
