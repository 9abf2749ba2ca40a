/** Secrets that come in by every way there is, while things go well and wrong, are in nothing that comes out. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { CLIP_COMMAND } from "../e2e/clip_process.ts";
import { isInstalled, runProgram } from "../e2e/programs.ts";
import { tarLayer } from "../indexer/memory_image.ts";
import { withHelpers } from "../oci/credential_programs.ts";
import { addImage, type FakeRegistry, noise, startFakeRegistry } from "../oci/fake_registry.ts";
import { makeSelfSigned } from "../self_signed.ts";
import { clip, type FakeIo } from "./fake_io.ts";
import { mountTest, startMount } from "./mounted.ts";

/** By the way in. None is part of another, nor of anything else. */
const SECRETS = Object.fromEntries(
  [
    ...["file", "helper", "environment", "host", "creds", "stdin", "tokenFile", "command", "refresh", "access"],
    ...["signature", "remote", "proxy", "broken"],
  ].map((way) => [way, `pl4nted.${way}.s3cret`]),
) as Record<string, string>;

/** A login, by options, variables, standard input or the logins' file. */
interface WayIn {
  readonly args?: string[];
  readonly variables?: Record<string, string>;
  readonly input?: string;
  readonly file?: unknown;
}

/** All that clip said. */
class Witness {
  #texts: string[] = [];

  constructor(readonly folder: string) {}

  add(text: string): void {
    this.#texts.push(text);
  }

  /** Runs clip with all that it can tell; its exit status. */
  async clip(
    args: readonly string[],
    { variables = {}, input = "", file = {}, args: more = [] }: WayIn = {},
  ): Promise<number> {
    const path = `${this.folder}/auth-${crypto.randomUUID()}.secret`;
    await Deno.writeTextFile(path, JSON.stringify(file));
    const prepare = (io: FakeIo) => {
      io.variables = { CLIP_CACHE_DIR: `${this.folder}/cache`, REGISTRY_AUTH_FILE: path, ...variables };
      io.input = input;
    };
    const { status, out, err } = await clip([...args, ...more, "--debug"], prepare);
    this.add(`${out}\n${err}`);
    return status;
  }

  /** Where `secret` is, in any spelling, in what was said or in a file but those that it came from. */
  async find(secret: string): Promise<string[]> {
    const base64 = ["user:", "token-user:", "<token>:", ""].map((user) =>
      Buffer.from(`${user}${secret}`).toString("base64")
    );
    const spellings = [secret, encodeURIComponent(secret), ...base64.map((text) => text.replace(/=+$/, ""))];
    const isIn = (text: string) => spellings.some((spelling) => text.includes(spelling));
    const found = this.#texts.filter(isIn);
    for await (const path of files(this.folder)) {
      const isOwn = /\.secret$|docker-credential-|\/auth\.json$/.test(path);
      if (!isOwn && isIn(new TextDecoder("latin1").decode(await Deno.readFile(path)))) found.push(path);
    }
    return found;
  }
}

async function* files(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    if (isDirectory && name !== "mnt") yield* files(`${folder}/${name}`);
    else if (isFile) yield `${folder}/${name}`;
  }
}

/** Each way in which a user and a password, a token or a refresh token get to clip. */
async function waysIn(host: string, folder: string): Promise<Record<string, WayIn>> {
  const secret = (way: string) => SECRETS[way]!;
  const suffix = host.replaceAll(".", "_").replace(":", "___");
  await Deno.writeTextFile(`${folder}/token.secret`, secret("tokenFile"));
  return {
    file: { file: { auths: { [host]: { auth: btoa(`user:${secret("file")}`) } } } },
    refresh: { file: { auths: { [host]: { identitytoken: secret("refresh") } } } },
    helper: { file: { credHelpers: { [host]: "clipsecret" } } },
    environment: { variables: { CLIP_REGISTRY_USER: "user", CLIP_REGISTRY_PASSWORD: secret("environment") } },
    host: { variables: { [`CLIP_REGISTRY_TOKEN__${suffix}`]: secret("host") } },
    creds: { args: ["--creds", `user:${secret("creds")}`] },
    stdin: { args: ["--username", "user", "--password-stdin"], input: `${secret("stdin")}\n` },
    tokenFile: { args: ["--token-file", `${folder}/token.secret`] },
    command: { args: ["--credential-command", `cat ${folder}/command.secret`, "--username", "user"] },
  };
}

/** Whether the servers were sent a secret: else that it is nowhere says nothing. */
function wasSent(secret: string, ...servers: FakeRegistry[]): boolean {
  return servers.flatMap(({ seen }) => seen).some(({ authorization, body, query }) => {
    const login = authorization?.replace(/^Basic (.*)$/, (_, base64) => atob(base64)) ?? "";
    return `${login} ${body} ${query}`.includes(secret);
  });
}

const { access, signature } = SECRETS;

/** How the registry, its token server and its storage behave. */
function behaviours(registry: FakeRegistry, tokens: FakeRegistry, storage: FakeRegistry): Record<string, () => void> {
  const bearer = {
    challenge: `Bearer realm="${tokens.origin}/token",service="s"`,
    accepts: (sent: string | null) => sent !== null,
  };
  const echo = (request: Request, status: number) =>
    new Response(`${request.headers.get("authorization")} ${request.url}`, { status });
  const give = () => Response.json({ token: access, refresh_token: SECRETS["refresh"] });
  const set = (options: { login?: FakeRegistry["login"]; tokens?: FakeRegistry["handler"] }) => {
    registry.handler = undefined;
    registry.login = options.login;
    registry.always = { kind: "none" };
    tokens.handler = options.tokens ?? give;
  };
  return {
    well: () => set({ login: bearer }),
    redirected: () => {
      set({ login: bearer });
      registry.handler = (request, url) =>
        !url.pathname.includes("/blobs/") || request.headers.get("authorization") === null
          ? undefined
          : new Response(null, {
            status: 307,
            headers: { location: `${storage.origin}${url.pathname}?X-Amz-Signature=${signature}` },
          });
    },
    basic: () =>
      set({ login: { challenge: 'Basic realm="r"', accepts: (sent) => sent?.startsWith("Basic") === true } }),
    refusedByTokens: () => set({ login: bearer, tokens: (request) => echo(request, 401) }),
    brokenTokens: () => set({ login: bearer, tokens: (request) => echo(request, 200) }),
    refused: () => set({ login: { ...bearer, accepts: () => false } }),
    forbidden: () => {
      set({ login: bearer });
      registry.handler = (request) => request.headers.has("authorization") ? echo(request, 403) : undefined;
    },
    hostile: () => set({ login: { ...bearer, challenge: 'Bearer realm="https://127.0.0.2:1/token"' } }),
  };
}

mountTest("planted secrets are in no output, log, trace, metric, archive or cache", async ({ folder, directory }) => {
  const [registry, tokens, storage] = [
    startFakeRegistry(),
    startFakeRegistry(),
    startFakeRegistry({ hostname: "127.0.0.2" }),
  ];
  const witness = new Witness(folder);
  const image = `${registry.host}/a/b:v1`;
  const layer = tarLayer({ path: "etc/motd", data: "hello\n" }, { path: "noise", data: noise(300_000, 1) });
  const { layers } = addImage(registry, { tag: "v1", layers: [new Uint8Array(layer.plain)] });
  storage.blobs = registry.blobs;
  assert.equal(layers.length, 1);
  const index = (
    name: string,
  ) => ["index", image, "-o", `${folder}/${name}.clip`, "--index-cache", "none", "--platform", "linux/amd64"];
  await Deno.writeTextFile(`${folder}/command.secret`, SECRETS["command"]!);
  try {
    await withHelpers(async (helpers) => {
      helpers.add(
        "clipsecret",
        `echo '{"Username":"user","Secret":"${SECRETS["helper"]}"}'; echo ${SECRETS["helper"]} >&2`,
      );
      const modes = behaviours(registry, tokens, storage);
      const ways = await waysIn(registry.host, folder);
      for (const [way, login] of Object.entries(ways)) {
        for (const mode of ["redirected", "refusedByTokens", "refused"]) {
          modes[mode]!();
          const status = await witness.clip(index(way), login);
          // A token that is sent as it is asks no token server.
          const isGiven = mode === "refusedByTokens" && ["host", "tokenFile"].includes(way);
          assert.equal(status, mode === "redirected" || isGiven ? 0 : 1, `${way}, ${mode}`);
        }
        assert(wasSent(SECRETS[way]!, registry, tokens), `nobody was sent the ${way}`);
      }
      assert(wasSent(access!, registry) && wasSent(signature!, storage));
      assert(!Object.values(SECRETS).some((secret) => secret !== signature && wasSent(secret, storage)));
      for (const mode of Object.keys(modes)) {
        modes[mode]!();
        await witness.clip(index(mode), ways["file"]);
        if (["well", "refusedByTokens", "hostile"].includes(mode)) {
          await witness.clip(["doctor", image], ways["refresh"]);
        }
      }
      helpers.add("clipsecret", `echo ${SECRETS["helper"]}; echo ${SECRETS["helper"]} >&2; exit 1`);
      await witness.clip(index("helper"), ways["helper"]);
      modes["redirected"]!();
      await readEverything(witness, { directory, login: ways["creds"]!, variables: ways["environment"]!.variables! });
      await failEverywhere(witness, { registry, storage, image, login: ways["creds"]!, modes });
    });
  } finally {
    await Promise.all([registry, tokens, storage].map((server) => server.stop()));
  }
  assert.deepEqual(await witness.find("clip: debug: request").then((found) => found.length > 0), true, "it was logged");
  for (const [way, secret] of Object.entries(SECRETS)) {
    assert.deepEqual((await witness.find(secret)).map((text) => text.slice(0, 3000)), [], way);
  }
});

/** Commands that read the image of an archive, and a mount with all that it tells of itself. */
async function readEverything(
  witness: Witness,
  { directory, login, variables }: { directory: string; login: WayIn; variables: Record<string, string> },
): Promise<void> {
  const { folder } = witness;
  const archive = `${folder}/file.clip`;
  const remote = `http://user:${SECRETS["remote"]}@127.0.0.1:1/cache redis://:${SECRETS["remote"]}@127.0.0.1:1`;
  const withRemote = { ...login, variables: { CLIP_REMOTE_CACHE: remote } };
  for (
    const args of [["cat", archive, "/etc/motd"], ["warm", archive], ["verify", "--layers", archive], [
      "inspect",
      "--json",
      archive,
    ]]
  ) {
    const takesLogin = args[0] !== "inspect";
    assert.equal(await witness.clip([...args], takesLogin ? withRemote : {}), 0, args[0]);
  }
  const socket = `${folder}/metrics.sock`;
  const args = ["--cache-dir", `${folder}/other`, "--trace", `${folder}/trace.jsonl`, "--metrics", `unix:${socket}`];
  args.push("--log-file", `${folder}/mount.log`);
  const { io, status } = await startMount([archive, directory, ...args, ...login.args!, "--debug"]);
  try {
    assert.equal((await Deno.readFile(`${directory}/noise`)).length, 300_000);
    const connection = await Deno.connect({ transport: "unix", path: socket });
    await connection.write(new TextEncoder().encode("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    witness.add(await new Response(connection.readable).text());
    await witness.clip(["stats", "--json", directory], { variables: io.variables });
  } finally {
    io.stop.abort(new DOMException("interrupted", "AbortError"));
    await status;
  }
  for (const name of ["trace.jsonl", "mount.log"]) assert((await Deno.stat(`${folder}/${name}`)).size > 0, name);
  witness.add(io.err_ + io.text);
  assert.equal(await witness.clip(["cat", archive, "/etc/motd", "--cache-dir", "none"], { variables }), 0);
}

/** What goes wrong besides logins: storage, certificates, proxies, and command lines that are not understood. */
async function failEverywhere(
  witness: Witness,
  { registry, storage, image, login, modes }: {
    registry: FakeRegistry;
    storage: FakeRegistry;
    image: string;
    login: WayIn;
    modes: Record<string, () => void>;
  },
): Promise<void> {
  const archive = `${witness.folder}/file.clip`;
  const fresh = ["cat", archive, "/noise", "--cache-dir", "none"];
  for (const status of [403, 404, 500]) {
    storage.handler = (request) => new Response(request.url, { status });
    assert.equal(await witness.clip([...fresh, "--deadline", "300ms"], login), 1);
  }
  for (const mode of ["basic", "refusedByTokens"]) {
    modes[mode]!();
    await Promise.all(
      [["pull", image], ["ls-remote", image], ["push", archive, image], ["rm-remote", image]].map((args) =>
        witness.clip(args, login)
      ),
    );
  }
  modes["well"]!();
  registry.always = { kind: "status", status: 500, body: SECRETS["broken"]! };
  assert.equal(await witness.clip([...fresh, "--deadline", "300ms"], login), 1);
  modes["well"]!();
  for (const location of ["ftp://h/x", "http://u:p@127.0.0.1:1/x", `${registry.origin}/loop`]) {
    registry.handler = (request, url) =>
      !request.headers.has("authorization") || !url.pathname.match(/blobs|loop/) ? undefined : new Response(null, {
        status: 302,
        headers: { location: `${location}?sig=${signature}` },
      });
    assert.equal(await witness.clip([...fresh, "--deadline", "300ms"], login), 1);
  }
  await failWithoutTrust(witness, login);
  const creds = `user:${SECRETS["broken"]}`;
  const wrong = [
    [`--cred=${creds}`],
    ["--creds", SECRETS["broken"]!],
    ["--creds", creds, "--password-stdin", "--username", "user"],
    ["--remote-cache", `redis://${creds}@host:port`],
    ["--token-host", `${creds}@host/`],
  ];
  for (const args of wrong) assert.equal(await witness.clip([...fresh, ...args]), 2, args[0]);
  assert.equal(await witness.clip(fresh, { variables: { CLIP_REGISTRY_PASSWORD: SECRETS["broken"]! } }), 1);
  const proxy = `http://user:${SECRETS["proxy"]}@127.0.0.1:1`;
  const env = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: "", CLIP_CACHE_DIR: `${witness.folder}/cache` };
  const { code, stdout, stderr } = await runProgram([...CLIP_COMMAND, "doctor", "registry.invalid/a/b", "--debug"], {
    env,
  });
  assert.equal(code, 1, image);
  witness.add(stdout + stderr);
}

/** A registry whose certificate nobody vouches for. */
async function failWithoutTrust(witness: Witness, login: WayIn): Promise<void> {
  if (!isInstalled("openssl") && Deno.env.get("CI") !== "true") {
    // deno-lint-ignore no-console -- a skip says why
    return console.log("skipped: secrets and a certificate that nobody vouches for: openssl is not installed");
  }
  const { key, certificate } = await makeSelfSigned();
  const options = { port: 0, hostname: "127.0.0.1", key, cert: certificate, onListen: () => {} };
  const server = Deno.serve(options, () => new Response());
  assert.equal(await witness.clip(["doctor", `127.0.0.1:${server.addr.port}/a/b`], login), 1);
  await server.shutdown();
}
