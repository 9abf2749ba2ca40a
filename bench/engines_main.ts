/**
 * Times every engine on one layer, in turn: `engines_main.ts LAYER.tar.gz ROUNDS`, also compiled. Prints JSON: for each
 * engine the milliseconds of its rounds, after one that is not counted.
 */
import { engineInput, installedEngines } from "./engines.ts";

/** Milliseconds of each round, by engine. */
export type EngineTimes = Readonly<Record<string, readonly number[]>>;

async function timeEngines(path: string, rounds: number): Promise<EngineTimes> {
  const input = engineInput(path);
  const engines = await installedEngines(() => {});
  const times: Record<string, number[]> = Object.fromEntries(engines.map(([name]) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, engine] of engines) {
      const started = performance.now();
      await engine(input);
      if (round >= 0) times[name]!.push(performance.now() - started);
    }
  }
  return times;
}

if (import.meta.main) {
  const [path, rounds] = Deno.args;
  // deno-lint-ignore no-console -- what was asked for
  console.log(JSON.stringify(await timeEngines(path!, Number(rounds))));
}
