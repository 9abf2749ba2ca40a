/** A machine that has nothing of this one's but its files: a network of its own, another home, another cache. */
import assert from "node:assert/strict";
import { CLIP_COMMAND, DENO_DIR } from "./clip_process.ts";
import { type ProgramResult, runProgram } from "./programs.ts";
import type { Workbench } from "./workbench.ts";

/** Where clip runs as if elsewhere. */
export interface SecondMachine {
  /** What the registry is called there. */
  readonly host: string;
  /** Runs clip there. */
  clip(args: readonly string[]): Promise<ProgramResult>;
}

/**
 * Starts one, from which of all networks only the registry can be reached. Where namespaces of the network cannot be
 * made, which is said, it has but a home and a cache of its own.
 * @param registry `127.0.0.1:PORT`.
 */
export async function secondMachine(bench: Workbench, registry: string): Promise<SecondMachine> {
  const env = {
    HOME: bench.directory("second-home"),
    DENO_DIR,
    CLIP_CACHE_DIR: bench.path("second-cache"),
    CLIP_RUNTIME_DIR: bench.runtimeDir,
  };
  const network = await makeNetwork(bench, registry);
  const enter = network === undefined ? [] : ["nsenter", `--net=/run/netns/${network.name}`];
  return {
    host: network?.host ?? registry,
    clip: (args) => runProgram([...enter, ...CLIP_COMMAND, ...args], { cwd: bench.folder, env }),
  };
}

/** A network of two machines, and somebody on this one who passes connections on to the registry. */
async function makeNetwork(bench: Workbench, registry: string): Promise<{ name: string; host: string } | undefined> {
  const name = `clip-${Deno.pid}`;
  const subnet = `10.231.${Deno.pid % 250}`;
  const [here, there] = [`clip${Deno.pid % 100_000}a`, `clip${Deno.pid % 100_000}b`];
  const commands = [
    `netns add ${name}`,
    `link add ${here} type veth peer name ${there} netns ${name}`,
    `addr add ${subnet}.1/30 dev ${here}`,
    `link set ${here} up`,
    `-n ${name} addr add ${subnet}.2/30 dev ${there}`,
    `-n ${name} link set ${there} up`,
  ];
  // The pair of interfaces goes with the namespace.
  bench.defer(() => runProgram(["ip", "netns", "del", name]).catch(() => {}));
  for (const command of commands) {
    const result = await runProgram(["ip", ...command.split(" ")]).catch((error: Error) => ({
      code: -1,
      stderr: error.message,
    }));
    if (result.code === 0) continue;
    // deno-lint-ignore no-console -- what is left out is said
    console.log(`no network of its own: ip ${command}: ${result.stderr.trim()}`);
    return undefined;
  }
  const listener = Deno.listen({ hostname: `${subnet}.1`, port: 0 });
  bench.defer(() => listener.close());
  passOn(listener, Number(registry.split(":")[1]));
  assert.equal((await runProgram(["nsenter", `--net=/run/netns/${name}`, "true"])).code, 0);
  return { name, host: `${subnet}.1:${listener.addr.port}` };
}

async function passOn(listener: Deno.TcpListener, port: number): Promise<void> {
  for await (const client of listener) {
    const upstream = await Deno.connect({ hostname: "127.0.0.1", port });
    client.readable.pipeTo(upstream.writable).catch(() => {});
    upstream.readable.pipeTo(client.writable).catch(() => {});
  }
}
