import assert from "node:assert/strict";
import { authFilePaths, helperServer, parseAuthFile, readAuthFile } from "../../src/oci/auth_file.ts";
import type { Credential } from "../../src/oci/credential.ts";
import { failure, writeTemporary } from "./test_support.ts";

function login(config: unknown, registry: string, repository?: string): Credential | undefined {
  const text = typeof config === "string" ? config : JSON.stringify(config);
  return parseAuthFile(new TextEncoder().encode(text), { registry, repository }, "config.json").credential;
}

const BASIC: Credential = { kind: "basic", username: "user", password: "pass:word" };
const AUTH = btoa("user:pass:word");

Deno.test("keys: the host, URLs as older versions wrote them, Docker Hub's names", () => {
  for (
    const key of [
      "example.com",
      "https://example.com",
      "https://example.com/v1/",
      "http://example.com/v2",
      "EXAMPLE.com",
    ]
  ) {
    assert.deepEqual(login({ auths: { [key]: { auth: AUTH } } }, "example.com"), BASIC, key);
  }
  for (const key of ["docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"]) {
    assert.deepEqual(login({ auths: { [key]: { auth: AUTH } } }, "docker.io"), BASIC, key);
  }
  for (const key of ["example.com:5000", "xexample.com", "example.com/namespace", "docker.io", "__proto__"]) {
    assert.equal(login({ auths: { [key]: { auth: AUTH } } }, "example.com"), undefined, key);
  }
  assert.equal(login({ auths: {} }, "__proto__"), undefined);
  const both = { "https://example.com/v1/": { auth: btoa("old:x") }, "example.com": { auth: AUTH } };
  assert.deepEqual(login({ auths: both }, "example.com"), BASIC);
});

Deno.test("what an entry may hold", () => {
  const entry = (value: unknown) => login({ auths: { "example.com": value } }, "example.com");
  assert.deepEqual(entry({ username: "user", password: "pass:word" }), BASIC);
  assert.deepEqual(entry({ auth: btoa("user:pass:word\0\0") }), BASIC);
  const identity = { kind: "identity", refreshToken: "id" };
  assert.deepEqual(entry({ auth: AUTH, identitytoken: "id" }), { ...identity, username: "user" });
  assert.deepEqual(entry({ identitytoken: "id" }), identity);
  assert.deepEqual(entry({ auth: btoa("<token>:id") }), { kind: "identity", refreshToken: "id" });
  assert.deepEqual(entry({ registrytoken: "t" }), { kind: "bearer", token: "t" });
  assert.equal(entry({}), undefined);
  assert.equal(entry(null), undefined);
  assert.equal(entry("text"), undefined);
  assert.deepEqual(entry({ auth: btoa("user:") }), { kind: "basic", username: "user", password: "" });
});

Deno.test("keys of a part of a registry: the longest counts, and none that only begins like it", () => {
  const basic = (username: string): Credential => ({ kind: "basic", username, password: "x" });
  const auths = Object.fromEntries(
    ["example.com", "example.com/team", "example.com/team/app", "docker.io/library"].map((key) => [key, {
      auth: btoa(`${key}:x`),
    }]),
  );
  const find = (registry: string, repository?: string) => login({ auths }, registry, repository);
  assert.deepEqual(find("example.com"), basic("example.com"));
  assert.deepEqual(find("example.com", "other/app"), basic("example.com"));
  assert.deepEqual(find("example.com", "team2"), basic("example.com"));
  assert.deepEqual(find("example.com", "team/x/y"), basic("example.com/team"));
  assert.deepEqual(find("example.com", "team/app"), basic("example.com/team/app"));
  assert.deepEqual(find("docker.io", "library/ubuntu"), basic("docker.io/library"));
  assert.equal(find("docker.io", "other/ubuntu"), undefined);
});

Deno.test("helpers: of the registry, else the store, beside what the file has itself", () => {
  const find = (config: unknown, registry = "example.com") =>
    parseAuthFile(new TextEncoder().encode(JSON.stringify(config)), { registry, repository: "a/b" }, "x");
  assert.deepEqual(find({ credsStore: "desktop" }), { helper: "desktop" });
  assert.deepEqual(find({ credsStore: "desktop", credHelpers: { "example.com": "ecr-login" } }), {
    helper: "ecr-login",
  });
  assert.deepEqual(find({ credHelpers: { "example.com/a": "ecr-login" } }), {});
  assert.deepEqual(find({ credHelpers: { "https://index.docker.io/v1/": "hub" } }, "docker.io"), { helper: "hub" });
  assert.deepEqual(find({ credsStore: "desktop", auths: { "example.com": { auth: AUTH } } }), {
    credential: BASIC,
    helper: "desktop",
  });
  assert.equal(helperServer("docker.io"), "https://index.docker.io/v1/");
  assert.equal(helperServer("example.com:5000"), "example.com:5000");
});

Deno.test("broken configs are errors that do not quote them", async () => {
  const broken = [
    '{"auths": {"example.com": {"auth": "s3cret',
    "s3cret",
    '["s3cret"]',
    '{"auths": "s3cret"}',
    `{"auths": {"example.com": {"auth": "${btoa("s3cret")}"}}}`,
    '{"auths": {"example.com": {"auth": "s3cret!!"}}}',
  ];
  for (const text of broken) {
    const error = await failure(() => login(text, "example.com"), "corrupt");
    assert(!/s3cret|czNjcmV0/.test(`${error.stack}${Deno.inspect(error)}${error.cause}`), error.message);
    assert.match(error.message, /config\.json/);
  }
});

Deno.test("the files: what a variable names alone, else podman's two and Docker's", async () => {
  const paths = (variables: Record<string, string>) => authFilePaths((name) => variables[name], 7);
  assert.deepEqual(paths({ HOME: "/home/u" }), [
    "/run/containers/7/containers/auth.json",
    "/home/u/.config/containers/auth.json",
    "/home/u/.docker/config.json",
  ]);
  assert.deepEqual(paths({ HOME: "/h", XDG_RUNTIME_DIR: "/r", XDG_CONFIG_HOME: "/c" }), [
    "/r/containers/auth.json",
    "/c/containers/auth.json",
    "/h/.docker/config.json",
  ]);
  assert.deepEqual(paths({ HOME: "/h", DOCKER_CONFIG: "/d" }), ["/d/config.json"]);
  assert.deepEqual(paths({ HOME: "/h", DOCKER_CONFIG: "/d", REGISTRY_AUTH_FILE: "/f" }), ["/f"]);
  const query = { registry: "example.com" };
  const path = writeTemporary(JSON.stringify({ auths: { "example.com": { auth: AUTH } } }));
  assert.deepEqual(await readAuthFile(path, query), { credential: BASIC });
  assert.equal(await readAuthFile("/nowhere/config.json", query), undefined);
  await failure(() => readAuthFile("/", query), "io");
});
