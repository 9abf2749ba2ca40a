import assert from "node:assert/strict";
import { type Credential, findLogin, readLogin } from "../../src/oci/docker_config.ts";
import { failure, writeTemporary } from "./test_support.ts";

function login(config: unknown, registry: string): Credential | undefined {
  const text = typeof config === "string" ? config : JSON.stringify(config);
  return findLogin(new TextEncoder().encode(text), registry, "config.json").credential;
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
  assert.deepEqual(entry({ auth: AUTH, identitytoken: "id" }), { kind: "identity", refreshToken: "id" });
  assert.deepEqual(entry({ auth: btoa("<token>:id") }), { kind: "identity", refreshToken: "id" });
  assert.deepEqual(entry({ registrytoken: "t" }), { kind: "bearer", token: "t" });
  assert.equal(entry({}), undefined);
  assert.equal(entry(null), undefined);
  assert.equal(entry("text"), undefined);
  assert.deepEqual(entry({ auth: btoa("user:") }), { kind: "basic", username: "user", password: "" });
});

Deno.test("a helper that would know more is named, and only where there is no login", () => {
  const find = (config: unknown) => findLogin(new TextEncoder().encode(JSON.stringify(config)), "example.com", "x");
  assert.deepEqual(find({ credsStore: "desktop" }), { unusedHelper: "desktop" });
  assert.deepEqual(find({ credsStore: "desktop", credHelpers: { "example.com": "ecr-login" } }), {
    unusedHelper: "ecr-login",
  });
  assert.deepEqual(find({ credsStore: "desktop", auths: { "example.com": { auth: AUTH } } }), { credential: BASIC });
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

Deno.test("the file: as told, in DOCKER_CONFIG, in HOME; only the first must exist", async () => {
  const path = writeTemporary(JSON.stringify({ auths: { "example.com": { auth: AUTH } } }));
  assert.deepEqual(await readLogin("example.com", path), { credential: BASIC });
  await failure(() => readLogin("example.com", "/nowhere/config.json"), "not_found");
  await failure(() => readLogin("example.com", "/"), "io");
  const folder = Deno.makeTempDirSync();
  const before = { DOCKER_CONFIG: Deno.env.get("DOCKER_CONFIG"), HOME: Deno.env.get("HOME") };
  try {
    Deno.env.set("HOME", folder);
    Deno.env.delete("DOCKER_CONFIG");
    assert.deepEqual(await readLogin("example.com"), {});
    Deno.mkdirSync(`${folder}/.docker`);
    Deno.copyFileSync(path, `${folder}/.docker/config.json`);
    assert.deepEqual(await readLogin("example.com"), { credential: BASIC });
    Deno.env.set("DOCKER_CONFIG", folder);
    assert.deepEqual(await readLogin("example.com"), {});
    Deno.copyFileSync(path, `${folder}/config.json`);
    assert.deepEqual(await readLogin("example.com"), { credential: BASIC });
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
    Deno.removeSync(folder, { recursive: true });
  }
});
