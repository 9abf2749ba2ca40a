import { fuzzTest } from "../fuzz/fuzz_target.ts";
import { requestsFuzz } from "./requests_fuzz.ts";

fuzzTest(requestsFuzz, { rounds: 60_000, accepted: [0.25, 1.01] });
