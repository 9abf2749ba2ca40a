import { fuzzTest } from "../fuzz/fuzz_target.ts";
import { gnuTarFuzz, tarFuzz } from "./tar_fuzz.ts";

fuzzTest(tarFuzz, { rounds: 6000, accepted: [0.02, 0.9] });
fuzzTest(gnuTarFuzz, { rounds: 150, accepted: [0.1, 0.9] });
