/** A real registry (Debian's package docker-registry) for tests, on a free port of this machine. */

/** A registry that is running. */
export interface RealRegistry {
  /** `127.0.0.1:PORT`, plain http. */
  readonly host: string;
  /** Has it collect what is garbage, as `docker-registry garbage-collect` does beside it. */
  collectGarbage(...args: string[]): Promise<void>;
  /** Ends it and removes what was pushed. */
  stop(): Promise<void>;
}

/** How the registry is set up. */
export interface RealRegistryOptions {
  /** Ask for this login (Basic), given as `user` and the bcrypt line of an htpasswd file. */
  readonly htpasswd?: string;
  /** Speak TLS, with this certificate and key, PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Take tokens of this server. */
  readonly tokens?: TokenIssuer;
}

/** Who signs tokens, as a registry is told. */
export interface TokenIssuer {
  /** URL of the token server. */
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** Of its key, PEM. */
  readonly certificate: string;
}

const START_TIMEOUT_MS = 15_000;

/** Starts an empty registry; undefined, after printing why, where it is not installed. */
export async function startRegistry(options: RealRegistryOptions = {}): Promise<RealRegistry | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "clip-registry-" });
  const host = `127.0.0.1:${freePort()}`;
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: `${folder}/data` }, delete: { enabled: true } },
    http: { addr: host, secret: "only for tests", ...tlsConfig(folder, options) },
    ...authConfig(folder, options),
  };
  if (options.tokens !== undefined) await Deno.writeTextFile(`${folder}/issuer.pem`, options.tokens.certificate);
  if (options.htpasswd !== undefined) await Deno.writeTextFile(`${folder}/htpasswd`, `${options.htpasswd}\n`);
  // JSON is YAML.
  await Deno.writeTextFile(`${folder}/config.yml`, JSON.stringify(config));
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("docker-registry", {
      args: ["serve", `${folder}/config.yml`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      env: { OTEL_TRACES_EXPORTER: "none" },
    }).spawn();
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    // deno-lint-ignore no-console -- a skip prints its reason
    console.log("skipped: docker-registry is not installed");
    return undefined;
  }
  const stop = async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It ended by itself.
    }
    await child.status;
    await Deno.remove(folder, { recursive: true });
  };
  const collectGarbage = async (...args: string[]) => {
    const command = ["garbage-collect", ...args, `${folder}/config.yml`];
    const options = { args: command, stdout: "null", stderr: "piped", env: { OTEL_TRACES_EXPORTER: "none" } } as const;
    const { success, stderr } = await new Deno.Command("docker-registry", options).output();
    if (!success) throw new Error(`docker-registry garbage-collect: ${new TextDecoder().decode(stderr)}`);
  };
  if (await answers(host)) return { host, collectGarbage, stop };
  await stop();
  throw new Error(`docker-registry did not answer on ${host} within ${START_TIMEOUT_MS} ms`);
}

function tlsConfig(folder: string, { tls }: RealRegistryOptions): Record<string, unknown> {
  if (tls === undefined) return {};
  Deno.writeTextFileSync(`${folder}/tls.pem`, tls.certificate);
  Deno.writeTextFileSync(`${folder}/tls.key`, tls.key);
  return { tls: { certificate: `${folder}/tls.pem`, key: `${folder}/tls.key` } };
}

function authConfig(folder: string, { htpasswd, tokens }: RealRegistryOptions): Record<string, unknown> {
  if (tokens !== undefined) {
    const { realm, service, issuer } = tokens;
    return { auth: { token: { realm, service, issuer, rootcertbundle: `${folder}/issuer.pem` } } };
  }
  return htpasswd === undefined ? {} : { auth: { htpasswd: { realm: "clip tests", path: `${folder}/htpasswd` } } };
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

async function answers(host: string): Promise<boolean> {
  for (const startMs = performance.now(); performance.now() - startMs < START_TIMEOUT_MS;) {
    try {
      const response = await fetch(`http://${host}/v2/`);
      await response.body?.cancel();
      return true;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return false;
}
