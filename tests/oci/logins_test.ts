import assert from "node:assert/strict";
import { Logins, type LoginsOptions } from "../../src/oci/mod.ts";
import { type HelperFolder, withHelpers } from "./credential_programs.ts";
import { failure, recordingLogger, writeTemporary } from "./test_support.ts";

const SECRET = "hunter2-s3cret";
const SIGNAL = new AbortController().signal;
const QUERY = { registry: "example.com", repository: "team/app", signal: SIGNAL };

/** Logins of a config and variables, and what they log. */
function logins(
  config: unknown,
  { variables = {}, ...options }: Partial<LoginsOptions> & { variables?: Record<string, string> } = {},
): { logins: Logins; lines: string[] } {
  const log = recordingLogger();
  const all: Record<string, string> = { REGISTRY_AUTH_FILE: writeTemporary(JSON.stringify(config)), ...variables };
  return { logins: new Logins({ log, env: (name) => all[name], ...options }), lines: log.lines };
}

const answer = (username: string, secret: string) =>
  `echo '${JSON.stringify({ ServerURL: "x", Username: username, Secret: secret })}'`;
const basic = (username: string, password: string) => ({ kind: "basic", username, password });

Deno.test("helpers: of the registry before the store, asked by the names that Docker uses, each time anew", () =>
  withHelpers(async (helpers) => {
    helpers.add("clipstore", answer("store", SECRET));
    helpers.add("clipone", answer("<token>", SECRET));
    const config = { credsStore: "clipstore", credHelpers: { "example.com": "clipone" } };
    const { logins: subject, lines } = logins(config);
    assert.deepEqual((await subject.find(QUERY)).login, {
      credential: { kind: "identity", refreshToken: SECRET },
      origin: "docker-credential-clipone",
    });
    const other = await subject.find({ ...QUERY, registry: "other.example:5000" });
    assert.deepEqual(other.login, { credential: basic("store", SECRET), origin: "docker-credential-clipstore" });
    await subject.find({ ...QUERY, registry: "docker.io" });
    await subject.find(QUERY);
    assert.deepEqual(helpers.asked("clipstore"), ["other.example:5000", "https://index.docker.io/v1/"]);
    assert.deepEqual(helpers.asked("clipone"), ["example.com", "example.com"]);
    assert.deepEqual(lines, []);
  }));

/** What becomes of a login whose helper's program is `body`. */
async function troubled(helpers: HelperFolder, body: string | undefined): Promise<{ problem: string; said: string }> {
  if (body !== undefined) helpers.add("clipbad", body);
  const { logins: subject, lines } = logins({ credsStore: body === undefined ? "clipnone" : "clipbad" }, {
    programTimeoutMs: 700,
  });
  const { login, problems } = await subject.find(QUERY);
  assert.equal(login, undefined);
  await subject.find(QUERY);
  assert.equal(lines.length, problems.length, "a problem is told once");
  return { problem: problems.join(), said: lines.join() };
}

Deno.test("helpers that know nothing, fail, hang, say too much or nonsense, are missing: no login, and no secret told", () =>
  withHelpers(async (helpers) => {
    const cases: [string | undefined, RegExp][] = [
      ["echo 'credentials not found in native keychain'; exit 1", /^$/],
      [`echo ${SECRET}; echo ${SECRET} >&2; exit 1`, /clipbad failed \(status 1\); to see why: echo example\.com \|/],
      [`echo ${SECRET} >&2; echo ${SECRET}; sleep 60 & wait; sleep 61`, /clipbad: it took more than 0\.7 s/],
      [`trap '' TERM; while :; do printf %4096s ${SECRET}; done`, /clipbad: it says more than 65536 bytes/],
      [`echo '{"Username":"u","Secret":"${SECRET}"'`, /clipbad.* JSON text/],
      [`echo '{"Username":"","Secret":"${SECRET}"}'`, /clipbad.* Username/],
      ["kill -KILL $$", /it was ended by SIGKILL/],
      [undefined, /docker-credential-clipnone: it is not installed/],
    ];
    for (const [body, expected] of cases) {
      const { problem, said } = await troubled(helpers, body);
      assert.match(problem, expected);
      assert(!`${problem}${said}`.includes(SECRET), said);
    }
    const { stdout } = await new Deno.Command("ps", { args: ["-eo", "args"] }).output();
    assert(!/sleep 6[01]|clipbad/.test(new TextDecoder().decode(stdout)), "something of a helper still runs");
    const { logins: subject } = logins({ credsStore: "../../bin/sh" });
    assert.match((await subject.find(QUERY)).problems.join(), /characters that none has/);
  }));

Deno.test("a helper that fails after it has answered: what it said goes on being used", () =>
  withHelpers(async (helpers) => {
    helpers.add("clipone", answer("user", SECRET));
    const { logins: subject, lines } = logins({
      credsStore: "clipone",
      auths: { "example.com": { auth: btoa("a:b") } },
    });
    await subject.find(QUERY);
    helpers.add("clipone", "exit 1");
    assert.deepEqual((await subject.find(QUERY)).login?.credential, basic("user", SECRET));
    assert.match(lines.join(), /login of before is used again/);
    // What it no longer knows is not: then the file itself counts.
    helpers.add("clipone", "echo credentials not found in native keychain; exit 1");
    assert.deepEqual((await subject.find(QUERY)).login?.credential, basic("a", "b"));
    helpers.add("clipone", "exit 1");
    assert.deepEqual((await subject.find(QUERY)).login?.credential, basic("a", "b"));
  }));

Deno.test("helpers and commands are not given clip's own secrets", () =>
  withHelpers(async (helpers) => {
    Deno.env.set("CLIP_REGISTRY_PASSWORD__EXAMPLE_COM", SECRET);
    try {
      helpers.add("clipone", `env >'${helpers.path}/env'; ${answer("u", "p")}`);
      await logins({ credsStore: "clipone" }).logins.find(QUERY);
      const seen = await Deno.readTextFile(`${helpers.path}/env`);
      assert(seen.includes("PATH=") && !seen.includes(SECRET));
    } finally {
      Deno.env.delete("CLIP_REGISTRY_PASSWORD__EXAMPLE_COM");
    }
  }));

Deno.test("the environment: variables of one host, else of the first registry asked, before any file", async () => {
  const auths = Object.fromEntries(["example.com", "a-b.example:5000"].map((key) => [key, { auth: btoa("file:x") }]));
  const variables = {
    CLIP_REGISTRY_USER: "any",
    CLIP_REGISTRY_PASSWORD: SECRET,
    CLIP_REGISTRY_USER__A__B_EXAMPLE___5000: "own",
    CLIP_REGISTRY_PASSWORD__A__B_EXAMPLE___5000: SECRET,
    CLIP_REGISTRY_TOKEN__GHCR_IO: SECRET,
  };
  const { logins: subject } = logins({ auths }, { variables });
  const find = async (registry: string, isMirror = false) =>
    (await subject.find({ ...QUERY, registry, isMirror })).login?.credential;
  assert.equal(await find("mirror.example", true), undefined);
  assert.deepEqual(await find("a-b.example:5000"), basic("own", SECRET));
  assert.deepEqual(await find("ghcr.io"), { kind: "bearer", token: SECRET });
  // They are for a-b.example:5000, which was named first.
  assert.deepEqual(await find("example.com"), basic("file", "x"));
  assert.equal(await find("a.b.example:5000"), undefined);
  const { logins: plain } = logins({ auths }, { variables });
  assert.deepEqual((await plain.find(QUERY)).login, {
    credential: basic("any", SECRET),
    origin: "$CLIP_REGISTRY_PASSWORD",
  });
  const half = logins({}, { variables: { CLIP_REGISTRY_PASSWORD: SECRET } }).logins;
  const error = await failure(() => half.find(QUERY), "denied");
  assert.match(error.message, /^\$CLIP_REGISTRY_PASSWORD is set, and \$CLIP_REGISTRY_USER is not$/);
});

Deno.test("what is given: before all else, for the first registry named alone; nothing else where nothing ambient is", async () => {
  const auths = { "example.com": { auth: btoa("file:x") }, "other.example": { auth: btoa("file:x") } };
  const login = { credential: { kind: "basic", username: "given", password: SECRET }, origin: "--creds" } as const;
  const given = { kind: "login", login: () => Promise.resolve(login) } as const;
  const { logins: subject } = logins({ auths }, { given });
  assert.deepEqual((await subject.find(QUERY)).login, login);
  assert.equal(subject.givenFor, "example.com");
  assert.deepEqual((await subject.find({ ...QUERY, registry: "other.example" })).login?.credential, basic("file", "x"));
  const { logins: bound } = logins({ auths }, { given, givenFor: "other.example", ambient: false });
  assert.deepEqual(await bound.find(QUERY), {
    login: undefined,
    problems: ["the login that was given is for other.example alone"],
  });
  assert.deepEqual((await bound.find({ ...QUERY, registry: "other.example" })).login, login);
});

Deno.test("--token-file and --credential-command: tokens, passwords, what helpers say; read anew each time", async () => {
  const path = writeTemporary("first\n");
  const file = (username?: string) => logins({}, { given: { kind: "file", path, username } }).logins;
  const subject = file();
  assert.deepEqual((await subject.find(QUERY)).login?.credential, { kind: "bearer", token: "first" });
  await Deno.writeTextFile(path, "second");
  assert.deepEqual((await subject.find(QUERY)).login?.credential, { kind: "bearer", token: "second" });
  await Deno.writeTextFile(path, "");
  assert.deepEqual((await subject.find(QUERY)).login?.credential, { kind: "bearer", token: "second" });
  await failure(() => file().find(QUERY), "denied");
  await Deno.writeTextFile(path, "pass word");
  assert.deepEqual((await file("u").find(QUERY)).login?.credential, basic("u", "pass word"));
  await failure(() => file().find(QUERY), "denied");
  await Deno.writeTextFile(path, "x".repeat(70_000));
  await failure(() => file().find(QUERY), "limit");

  const command = (text: string, username?: string) =>
    logins({}, { given: { kind: "command", command: text, username }, programTimeoutMs: 5000 }).logins;
  const credential = async (text: string, username?: string) =>
    (await command(text, username).find(QUERY)).login?.credential;
  assert.deepEqual(await credential("read server; echo token-of-$server"), {
    kind: "bearer",
    token: "token-of-example.com",
  });
  assert.deepEqual(await credential("echo secret", "u"), basic("u", "secret"));
  assert.deepEqual(await credential(answer("u", "p")), basic("u", "p"));
  for (
    const [text, code] of [[`echo ${SECRET}; exit 3`, "denied"], ["true", "denied"], ["echo '{'", "corrupt"]] as const
  ) {
    const error = await failure(() => command(text).find(QUERY), code);
    assert(!error.message.includes(SECRET), error.message);
  }
});
