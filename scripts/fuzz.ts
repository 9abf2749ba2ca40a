/**
 * Mutated inputs, as many as wanted, by seed: `deno task fuzz [TARGET…] [--rounds N] [--seed S]`. N is of all targets
 * together, by default 1,000,000. The rounds are those of the tests. Ends with a table, or at the first finding with the
 * command that repeats it.
 */
import { FUZZ_TARGETS } from "../tests/fuzz/targets.ts";
import { type FuzzCounts, type FuzzTarget, runFuzz } from "../tests/fuzz/fuzz_target.ts";

const DEFAULT_ROUNDS = 1_000_000;
const PROGRESS_EVERY_MS = 10_000;

/** What the command line asks for. */
interface FuzzRun {
  readonly targets: readonly (readonly [FuzzTarget, number])[];
  readonly rounds: number;
  readonly seed: number;
}

function parseArguments(args: readonly string[]): FuzzRun {
  const names: string[] = [];
  const numbers = { rounds: DEFAULT_ROUNDS, seed: Date.now() >>> 0 };
  for (let i = 0; i < args.length; i++) {
    const name = args[i]!.replace(/^--/, "");
    if (name === args[i]) names.push(name);
    else if (name === "rounds" || name === "seed") numbers[name] = Number(args[++i]);
    else throw new Error(`unknown option ${args[i]}`);
  }
  const targets = FUZZ_TARGETS.filter(([{ name }]) => names.length === 0 || names.includes(name));
  if (targets.length < names.length || !Object.values(numbers).every(Number.isSafeInteger)) {
    throw new Error(`targets are ${FUZZ_TARGETS.map(([{ name }]) => name).join(", ")}; numbers are whole`);
  }
  return { targets, ...numbers };
}

async function run({ targets, rounds, seed }: FuzzRun): Promise<void> {
  const encoder = new TextEncoder();
  const say = (text: string) => void Deno.stderr.writeSync(encoder.encode(`${text}\n`));
  say(`seed ${seed}`);
  const shares = targets.reduce((sum, [, share]) => sum + share, 0);
  const rows: string[] = [
    "| Input | Rounds | Accepted | Refused | Compared | Longest, ms |",
    "| --- | --: | --: | --: | --: | --: |",
  ];
  for (const [target, share] of targets) {
    if (target.missing !== undefined) {
      say(`${target.name}: skipped: ${target.missing}`);
      continue;
    }
    let nextReport = Date.now() + PROGRESS_EVERY_MS;
    const onRound = (counts: FuzzCounts) => {
      if (Date.now() < nextReport) return;
      nextReport = Date.now() + PROGRESS_EVERY_MS;
      say(`${target.name}: ${counts.rounds} rounds, ${counts.accepted} accepted`);
    };
    const counts = await runFuzz(target, { rounds: Math.ceil(rounds * share / shares), seed, onRound });
    const numbers = [counts.rounds, counts.accepted, counts.rounds - counts.accepted, counts.compared];
    const cells = [target.name, ...numbers.map((n) => n.toLocaleString("en")), counts.longestMs.toFixed(0)];
    rows.push(`| ${cells.join(" | ")} |`);
    say(rows.at(-1)!);
  }
  Deno.stdout.writeSync(encoder.encode(`${rows.join("\n")}\n`));
}

if (import.meta.main) await run(parseArguments(Deno.args));
