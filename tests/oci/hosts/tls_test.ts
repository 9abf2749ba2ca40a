/** Private authorities and proxies, over real TLS. */
import assert from "node:assert/strict";
import { Network, type NetworkOptions, pingRegistry } from "../../../src/oci/mod.ts";
import { withFolder } from "../make_layout.ts";
import { failure, quickOptions } from "../test_support.ts";
import { AUTHORITY, SERVER_CERTIFICATE, SERVER_KEY } from "../test_certificates.ts";

/** A registry in https, which has nothing; its port. */
async function withTls(work: (port: number) => Promise<void>): Promise<void> {
  const tls = { cert: SERVER_CERTIFICATE, key: SERVER_KEY };
  const options = { ...tls, port: 0, hostname: "127.0.0.1", onListen: () => {} };
  const server = Deno.serve(options, () => new Response("{}"));
  try {
    await work(server.addr.port);
  } finally {
    await server.shutdown();
  }
}

async function ping(registry: string, options: NetworkOptions) {
  const network = new Network({ registriesConf: "none", hostsDir: "none", ...options });
  try {
    return await pingRegistry({ registry }, quickOptions({ plainHttp: false, network }));
  } finally {
    network.close();
  }
}

Deno.test("a private authority: by option, by folder, by the folder of the host", () =>
  withTls((port) =>
    withFolder(async (folder) => {
      const registry = `localhost:${port}`;
      const unknown = await failure(() => ping(registry, {}), "network");
      assert.match(unknown.message, /UnknownIssuer.*\(--ca-file names an authority to trust\)/);
      await Deno.writeTextFile(`${folder}/ca.pem`, AUTHORITY);
      const origin = `https://${registry}`;
      assert.equal((await ping(registry, { caFiles: [`${folder}/ca.pem`] })).origin, origin);
      await Deno.mkdir(`${folder}/certs`);
      await Deno.writeTextFile(`${folder}/certs/own.crt`, AUTHORITY);
      assert.equal((await ping(registry, { certDir: `${folder}/certs` })).origin, origin);
      await Deno.mkdir(`${folder}/containers/certs.d/${registry}`, { recursive: true });
      await Deno.writeTextFile(`${folder}/containers/certs.d/${registry}/own.crt`, AUTHORITY);
      const env = (name: string) => name === "XDG_CONFIG_HOME" ? folder : undefined;
      assert.equal((await ping(registry, { env })).origin, origin);
      // Deno would take this for a certificate, and trust nobody more than before.
      await Deno.writeTextFile(`${folder}/ca.pem`, "no PEM, but planted");
      const error = await failure(() => ping(registry, { caFiles: [`${folder}/ca.pem`] }), "corrupt");
      assert.equal(error.message, `${folder}/ca.pem: there is no certificate in it (PEM)`);
      await failure(() => ping(registry, { caFiles: [`${folder}/missing`] }), "not_found");
    })
  ));

Deno.test("requests go through the proxy, whose password nobody sees; NO_PROXY keeps them from it", async () => {
  const asked: { line: string; login: string | null }[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    asked.push({ line: `${request.method} ${request.url}`, login: request.headers.get("proxy-authorization") });
    return new Response("{}");
  });
  const variables: Record<string, string> = { HTTP_PROXY: `http://me:pl%40nted@127.0.0.1:${server.addr.port}` };
  const env = (name: string) => variables[name];
  const network = new Network({ registriesConf: "none", hostsDir: "none", env });
  const options = quickOptions({ network });
  const { origin } = await pingRegistry({ registry: "registry.invalid" }, options);
  assert.equal(origin, "http://registry.invalid");
  assert.deepEqual(asked, [{ line: "GET http://registry.invalid/v2/", login: `Basic ${btoa("me:pl@nted")}` }]);
  network.close();
  variables["NO_PROXY"] = ".invalid";
  // The process's own variables are not looked at, and are as they were.
  Deno.env.set("HTTP_PROXY", variables["HTTP_PROXY"]!);
  try {
    const direct = new Network({ registriesConf: "none", hostsDir: "none", env });
    const error = await failure(() => pingRegistry({ registry: "registry.invalid" }, { ...options, network: direct }));
    assert.equal(asked.length, 1);
    assert.doesNotMatch(error.message + options.log.lines.join(""), /pl@nted|pl%40nted/);
    assert.equal(Deno.env.get("HTTP_PROXY"), variables["HTTP_PROXY"]);
    direct.close();
  } finally {
    Deno.env.delete("HTTP_PROXY");
    await server.shutdown();
  }
});

Deno.test("https goes through the proxy as a tunnel, to a host that only the proxy knows", () =>
  withTls((port) =>
    withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/ca.pem`, AUTHORITY);
      const heads: string[] = [];
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const served = (async () => {
        for await (const client of listener) {
          const head = new Uint8Array(4096);
          heads.push(new TextDecoder().decode(head.subarray(0, await client.read(head) ?? 0)));
          const server = await Deno.connect({ hostname: "127.0.0.1", port });
          await client.write(new TextEncoder().encode("HTTP/1.1 200 go\r\n\r\n"));
          // Both ends may break off.
          client.readable.pipeTo(server.writable).catch(() => {});
          server.readable.pipeTo(client.writable).catch(() => {});
        }
      })();
      const env = (name: string) =>
        name === "https_proxy" ? `http://me:planted@127.0.0.1:${listener.addr.port}` : undefined;
      try {
        // The certificate is not for that name: so TLS was spoken with the registry itself.
        const error = await failure(() => ping("registry.invalid", { env, caFiles: [`${folder}/ca.pem`] }), "network");
        assert.match(error.message, /invalid peer certificate: .*NotValidForName|certificate not valid for name/);
        assert.doesNotMatch(error.message, /planted/);
        assert.match(heads[0]!, /^CONNECT registry\.invalid:443 HTTP\/1\.1\r\n/);
        assert.match(heads[0]!, new RegExp(`proxy-authorization: Basic ${btoa("me:planted")}\r\n`, "i"));
      } finally {
        listener.close();
        await served;
      }
    })
  ));

Deno.test("a registry at an IPv6 address", async () => {
  const tls = { cert: SERVER_CERTIFICATE, key: SERVER_KEY };
  const server = Deno.serve({ ...tls, port: 0, hostname: "::1", onListen: () => {} }, () => new Response("{}"));
  try {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/ca.pem`, AUTHORITY);
      const registry = `[::1]:${server.addr.port}`;
      assert.equal((await ping(registry, { caFiles: [`${folder}/ca.pem`] })).origin, `https://${registry}`);
    });
  } finally {
    await server.shutdown();
  }
});
