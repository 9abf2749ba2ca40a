import { mustRun, runProgram } from "../../e2e/programs.ts";
import type { Workbench } from "../../e2e/workbench.ts";
import { ServerProcess } from "./server_process.ts";
import type { StoreServer, StoreServerKind } from "./store_server.ts";

const NEEDS = ["redis-server", "redis-cli"] as const;
const PASSWORD = "p@ss/word";

interface RedisSetup {
  /** Before the host in the URL. */
  readonly login: string;
  readonly database: number;
  readonly args: readonly string[];
  readonly cliArgs: readonly string[];
}

async function start(bench: Workbench, { login, database, args, cliArgs }: RedisSetup): Promise<StoreServer> {
  const folder = bench.directory("redis");
  const process = new ServerProcess({
    program: "redis-server",
    args: (port) => ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder, ...args],
  });
  bench.defer(() => process.kill());
  await process.start();
  const cli = ["redis-cli", "--no-auth-warning", "-p", `${process.port}`, "-n", `${database}`, ...cliArgs];
  return {
    url: `redis://${login}127.0.0.1:${process.port}${database === 0 ? "" : `/${database}`}`,
    env: {},
    process,
    async plant(key, value) {
      await mustRun([...cli, "-x", "SET", key], { stdin: value });
    },
    async peek(key) {
      const exists = await mustRun([...cli, "EXISTS", key]);
      if (exists.trim() === "0") return undefined;
      const { stdoutBytes } = await runProgram([...cli, "GET", key]);
      return stdoutBytes.subarray(0, -1); // without the line's end
    },
    async fill() {
      await mustRun([...cli, "CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1"]);
    },
    async makeRoom() {
      await mustRun([...cli, "CONFIG", "SET", "maxmemory", "0"]);
    },
  };
}

/** Without a password. */
export const redisServer: StoreServerKind = {
  name: "redis",
  needs: NEEDS,
  start: (bench) => start(bench, { login: "", database: 0, args: [], cliArgs: [] }),
};

/** With a password, in another database than the first. */
export const redisServerWithPassword: StoreServerKind = {
  name: "redis with a password",
  needs: NEEDS,
  start: (bench) =>
    start(bench, {
      login: `:${encodeURIComponent(PASSWORD)}@`,
      database: 3,
      args: ["--requirepass", PASSWORD],
      cliArgs: ["-a", PASSWORD],
    }),
};
