import { mustRun, runProgram } from "../../e2e/programs.ts";
import type { Workbench } from "../../e2e/workbench.ts";
import { ServerProcess } from "./server_process.ts";
import type { StoreServer, StoreServerKind } from "./store_server.ts";

const NEEDS = ["redis-server", "redis-cli"] as const;
const PASSWORD = "p@ss/word";

interface RedisSetup {
  /** Instead of `redis:`. */
  readonly scheme?: string;
  /** Options that say where to listen. */
  readonly listen?: (port: number) => string[];
  readonly env?: Record<string, string>;
  /** Before the host in the URL. */
  readonly login: string;
  readonly database: number;
  readonly args: readonly string[];
  readonly cliArgs: readonly string[];
}

async function start(bench: Workbench, setup: RedisSetup): Promise<StoreServer> {
  const { login, database, args, cliArgs, scheme = "redis:", listen = (port) => ["--port", `${port}`], env = {} } =
    setup;
  const folder = bench.directory("redis");
  const process = new ServerProcess({
    program: "redis-server",
    args: (port) => [...listen(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, ...args],
  });
  bench.defer(() => process.kill());
  await process.start();
  const cli = ["redis-cli", "--no-auth-warning", "-p", `${process.port}`, "-n", `${database}`, ...cliArgs];
  return {
    url: `${scheme}//${login}127.0.0.1:${process.port}${database === 0 ? "" : `/${database}`}`,
    env,
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

/** With TLS, and a certificate that only those trust who have the environment's DENO_CERT. */
export const redisServerWithTls: StoreServerKind = {
  name: "redis with TLS",
  needs: [...NEEDS, "openssl"],
  async start(bench) {
    const [key, certificate] = [bench.path("key.pem"), bench.path("certificate.pem")];
    const subject = ["-subj", "/CN=tests", "-addext", "subjectAltName=IP:127.0.0.1"];
    const files = ["-nodes", "-keyout", key, "-out", certificate, "-addext", "basicConstraints=critical,CA:FALSE"];
    const kind = ["-x509", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    await mustRun(["openssl", "req", ...kind, ...subject, ...files]);
    return start(bench, {
      scheme: "rediss:",
      listen: (port) => ["--port", "0", "--tls-port", `${port}`],
      login: "",
      database: 0,
      args: ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"],
      cliArgs: ["--tls", "--cacert", certificate],
      env: { DENO_CERT: certificate },
    });
  },
};
