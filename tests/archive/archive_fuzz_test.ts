import { fuzzTest } from "../fuzz/fuzz_target.ts";
import { archiveFuzz } from "./archive_fuzz.ts";

fuzzTest(archiveFuzz, { rounds: 3000, accepted: [0, 0.67] });
