/** registries.conf and hosts.toml, as containers and containerd understand them. */
import assert from "node:assert/strict";
import { type DockerReference, Network, type NetworkOptions, parseImageReference } from "../../../src/oci/mod.ts";
import type { Endpoint } from "../../../src/oci/hosts/endpoint.ts";
import { withFolder } from "../make_layout.ts";
import { failure, recordingLogger } from "../test_support.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

/** The places of a reference, by the files that are given. */
async function places(text: string, options: NetworkOptions, how = {}): Promise<Endpoint[]> {
  const network = new Network({ registriesConf: "none", hostsDir: "none", ...options });
  const reference = parseImageReference(text) as DockerReference;
  return await network.endpoints(reference, { plainHttp: false, insecure: false, log: recordingLogger(), ...how });
}

/** One place in short: `scheme host path`, and what it is for. */
function brief({ scheme, host, apiPath, repository, resolvesTags, servesDigests, isMirror, namespace }: Endpoint) {
  const rights = `${resolvesTags ? "tags" : ""}${servesDigests ? "+digests" : ""}`;
  return `${scheme} ${host}${apiPath}/${repository} ${rights}${isMirror ? " mirror" : ""}${
    namespace === undefined ? "" : ` ns=${namespace}`
  }`;
}

const CONF = `
unqualified-search-registries = ["docker.io"]
short-name-mode = "permissive"

[[registry]]
prefix = "docker.io"
location = "registry.example/hub"
insecure = true
[[registry.mirror]]
location = "mirror.example:5000/docker"
[[registry.mirror]]
location = "second"
insecure = true
pull-from-mirror = "digest-only"

[[registry]]
prefix = "docker.io/library/ubuntu"
mirror-by-digest-only = true
[[registry.mirror]]
location = "[::1]:5000/os/ubuntu"

[[registry]]
location = "evil.example"
blocked = true
[[registry]]
prefix = "evil.example/good"

[[registry]]
prefix = "*.corp.example"
[[registry.mirror]]
location = "cache.example/corp"
pull-from-mirror = "tag-only"
`;

Deno.test("registries.conf: the longest prefix, locations, mirrors in order, what each is for", () =>
  withFolder(async (folder) => {
    const registriesConf = `${folder}/registries.conf`;
    await Deno.writeTextFile(registriesConf, CONF);
    const at = async (text: string) => (await places(text, { registriesConf })).map(brief);
    assert.deepEqual(await at("busybox:1"), [
      "https mirror.example:5000/v2/docker/library/busybox tags+digests mirror",
      "either second/v2/library/busybox +digests mirror",
      "either registry.example/v2/hub/library/busybox tags+digests",
    ]);
    assert.deepEqual(await at("ubuntu"), [
      "either [::1]:5000/v2/os/ubuntu +digests mirror",
      "https registry-1.docker.io/v2/library/ubuntu tags+digests",
    ]);
    assert.deepEqual(await at("ubuntu-pro"), [
      "https mirror.example:5000/v2/docker/library/ubuntu-pro tags+digests mirror",
      "either second/v2/library/ubuntu-pro +digests mirror",
      "either registry.example/v2/hub/library/ubuntu-pro tags+digests",
    ]);
    assert.deepEqual(await at("a.b.corp.example/x/y:1"), [
      "https cache.example/v2/corp/x/y tags mirror",
      "https a.b.corp.example/v2/x/y tags+digests",
    ]);
    assert.deepEqual(await at("corp.example/x"), ["https corp.example/v2/x tags+digests"]);
    // A port makes another host.
    assert.deepEqual(await at("evil.example:5000/x"), ["https evil.example:5000/v2/x tags+digests"]);
    assert.deepEqual(await at("evil.example/good/x"), ["https evil.example/v2/good/x tags+digests"]);
    const blocked = await failure(() => at(`evil.example/x@${DIGEST}`), "denied");
    assert.equal(blocked.message, `evil.example/x: evil.example is blocked by ${registriesConf}`);
    assert.deepEqual((await places("evil.example/x", {})).map(brief), ["https evil.example/v2/x tags+digests"]);
  }));

Deno.test("registries.conf: which files, in which order; what is wrong is said by file and key", () =>
  withFolder(async (home) => {
    const folder = `${home}/.config/containers`;
    await Deno.mkdir(`${folder}/registries.conf.d`, { recursive: true });
    const mirror = (location: string) => `[[registry]]\nlocation = "r.example"\n[[registry.mirror]]\n${location}\n`;
    await Deno.writeTextFile(`${folder}/registries.conf`, mirror('location = "first.example"'));
    await Deno.writeTextFile(`${folder}/registries.conf.d/20-b.conf`, mirror('location = "second.example"'));
    await Deno.writeTextFile(`${folder}/registries.conf.d/90-not.txt`, "not TOML [");
    const env = (variables: Record<string, string>) => (name: string) => variables[name];
    const first = async (variables: Record<string, string>) =>
      (await places("r.example/x", { registriesConf: undefined, env: env(variables) }))[0]!.host;
    assert.equal(await first({ HOME: home }), "second.example");
    assert.equal(await first({ HOME: "/nowhere", XDG_CONFIG_HOME: `${home}/.config` }), "second.example");
    // A file that is named is read alone.
    assert.equal(
      await first({ HOME: home, CONTAINERS_REGISTRIES_CONF: `${folder}/registries.conf` }),
      "first.example",
    );
    const named = `${home}/named.conf`;
    const wrong = async (text: string) => {
      await Deno.writeTextFile(named, text);
      return (await failure(() => places("r.example/x", { registriesConf: named }))).message.replace(named, "FILE");
    };
    assert.match(await wrong("[[registry]\n"), /^FILE:1:\d+: /);
    assert.equal(
      await wrong("[registries.search]\nregistries = []"),
      "FILE: version 1 is not read; write [[registry]], or give --registries-conf none",
    );
    assert.equal(await wrong("[[registry]]\nblocked = true"), "FILE: registry[0].location: expected a registry");
    assert.equal(
      await wrong(mirror("insecure = 1\nlocation='m'")),
      "FILE: registry[0].mirror[0].insecure: expected true or false",
    );
    assert.equal(await wrong(mirror("insecure = true")), "FILE: registry[0].mirror[0].location: expected a registry");
    assert.equal(
      await wrong(mirror("location = 'https://m'")),
      "FILE: registry[0].mirror[0].location: expected host[:port][/path], without a scheme",
    );
    assert.match(
      await wrong(mirror("location = 'm/UPPER'")),
      /location: "m\/UPPER\/x" is not host\[:port\]\/repository$/,
    );
    assert.match(await wrong(mirror("location = 'm'\npull-from-mirror = 'often'")), /digest-only or tag-only$/);
    await failure(() => places("r.example/x", { registriesConf: `${home}/missing` }), "not_found");
  }));

const HOSTS = `
server = "https://registry-1.docker.io"
capabilities = ["pull"]
[host."http://127.0.0.1:5001"]
capabilities = ["pull", "resolve"]
ca = ["a.crt", "/b.crt"]
client = [["me.cert", "me.key"]]
skip_verify = true
[host."http://127.0.0.1:5001".header]
x-cache = ["one", "two"]
authorization = "Bearer planted"
[host."https://cache.example/path"]
client = "both.pem"
[host."https://whole.example/api"]
override_path = true
`;

Deno.test("hosts.toml: hosts in the file's order, paths, rights, headers, certificates", () =>
  withFolder(async (hostsDir) => {
    await Deno.mkdir(`${hostsDir}/docker.io`);
    await Deno.writeTextFile(`${hostsDir}/docker.io/hosts.toml`, HOSTS);
    const found = await places("ubuntu", { hostsDir });
    assert.deepEqual(found.map(brief), [
      "http 127.0.0.1:5001/v2/library/ubuntu tags+digests mirror ns=docker.io",
      "https cache.example/path/v2/library/ubuntu tags+digests mirror ns=docker.io",
      "https whole.example/api/library/ubuntu tags+digests mirror ns=docker.io",
      "https registry-1.docker.io/v2/library/ubuntu +digests",
    ]);
    const folder = `${hostsDir}/docker.io`;
    assert.deepEqual(found[0]!.headers, { "x-cache": "one, two", authorization: "Bearer planted" });
    assert.deepEqual(found[0]!.tls, {
      authorities: [`${folder}/a.crt`, "/b.crt"],
      clients: [{ certificate: `${folder}/me.cert`, key: `${folder}/me.key` }],
    });
    assert.deepEqual(found[1]!.tls.clients, [{ certificate: `${folder}/both.pem`, key: `${folder}/both.pem` }]);
    assert.equal(found[0]!.skipsVerification, true);
    assert.deepEqual(found.map(({ registry }) => registry), [
      "127.0.0.1:5001",
      "cache.example",
      "whole.example",
      "docker.io",
    ]);
    // The default, a port in a folder's name, certificates alone.
    await Deno.mkdir(`${hostsDir}/_default`);
    await Deno.writeTextFile(`${hostsDir}/_default/hosts.toml`, '[host."any.example"]\n');
    assert.deepEqual((await places("r.example/x", { hostsDir })).map(brief), [
      "https any.example/v2/x tags+digests mirror ns=r.example",
      "https r.example/v2/x tags+digests",
    ]);
    // Of a file that names no server, what is not of a host is the registry's own.
    await Deno.writeTextFile(`${hostsDir}/_default/hosts.toml`, 'ca = "/own.crt"\n[header]\nx-own = "one"\n');
    const [own] = await places("r.example/x", { hostsDir });
    assert.deepEqual([own!.headers, own!.tls.authorities], [{ "x-own": "one" }, ["/own.crt"]]);
    await Deno.mkdir(`${hostsDir}/r.example_5000_`);
    await Deno.writeTextFile(`${hostsDir}/r.example_5000_/own.crt`, "");
    const [only] = await places("r.example:5000/x", { hostsDir });
    assert.deepEqual(only!.tls.authorities, [`${hostsDir}/r.example_5000_/own.crt`]);
    // Containers' file is read as well, for what it blocks.
    const registriesConf = `${hostsDir}/conf`;
    await Deno.writeTextFile(registriesConf, "[[registry]]\nlocation = 'r.example'\nblocked = true");
    await failure(() => places("r.example/x", { hostsDir, registriesConf }), "denied");
    const wrong = async (text: string) => {
      await Deno.writeTextFile(`${hostsDir}/_default/hosts.toml`, text);
      return (await failure(() => places("r.example/x", { hostsDir }), "corrupt")).message;
    };
    assert.match(await wrong("capabilities = ['fly']"), /hosts.toml: capabilities: expected of pull, resolve, push$/);
    assert.match(await wrong("server = 'https://user:planted@x'"), /hosts.toml: server: expected a URL$/);
    assert.match(
      await wrong("[host.'https://m'.header]\nrange = 'x'"),
      /header.range: expected a header that may be set$/,
    );
    assert.match(await wrong("client = [['a','b','c']]"), /client: expected a file, files or pairs of files$/);
  }));

Deno.test("--plain-http and --insecure are for the registry; this machine may be without TLS", async () => {
  assert.deepEqual((await places("localhost:5/x", {})).map(brief), ["either localhost:5/v2/x tags+digests"]);
  assert.equal((await places("r.example/x", {}, { insecure: true }))[0]!.scheme, "either");
  assert.equal((await places("r.example/x", {}, { plainHttp: true }))[0]!.scheme, "http");
  assert.equal((await places("[fd00::1]:5000/x", {}, { plainHttp: true }))[0]!.host, "[fd00::1]:5000");
});
