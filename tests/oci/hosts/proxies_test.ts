import assert from "node:assert/strict";
import { Proxies } from "../../../src/oci/hosts/proxies.ts";
import { failure } from "../test_support.ts";

function proxies(variables: Record<string, string>): Proxies {
  return new Proxies((name) => variables[name]);
}

Deno.test("proxies by the scheme of the request, small letters first; logins apart from the URL", () => {
  assert.equal(proxies({}).isEmpty, true);
  const both = proxies({ HTTP_PROXY: "http://upper:1", http_proxy: "lower:2", HTTPS_PROXY: "https://me:p%40ss@tls:3" });
  assert.deepEqual(both.find(new URL("http://r.example/")), { url: "http://lower:2" });
  assert.deepEqual(both.find(new URL("https://r.example/")), {
    url: "https://tls:3",
    basicAuth: { username: "me", password: "p@ss" },
  });
  assert.deepEqual(proxies({ ALL_PROXY: "socks5://s:1080" }).find(new URL("https://x")), { url: "socks5://s:1080" });
  // As a CGI program: the variable may be a header that somebody sent.
  assert.equal(proxies({ HTTP_PROXY: "http://x", REQUEST_METHOD: "GET" }).isEmpty, true);
});

Deno.test("NO_PROXY as Go and curl understand it", () => {
  const rules: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["*", ["https://any.example"], []],
    ["corp.example", ["https://corp.example", "https://a.b.corp.example:5000"], ["https://notcorp.example"]],
    [".corp.example", ["https://a.corp.example"], ["https://corp.example"]],
    ["*.corp.example", ["https://a.corp.example"], ["https://corp.example"]],
    ["corp.example:5000", ["https://corp.example:5000"], ["https://corp.example"]],
    ["corp.example:443, 10.0.0.0/8", ["https://CORP.example.", "https://10.1.2.3:5000"], ["https://11.1.2.3"]],
    ["10.1.2.3", ["https://10.1.2.3"], ["https://10.1.2.33", "https://x10.1.2.3.example"]],
    ["10.1.2.3:80", ["http://10.1.2.3"], ["https://10.1.2.3"]],
    ["fd00::/8 [fe80::1]:5000", ["https://[fd00::7]", "https://[fe80::1]:5000"], [
      "https://[fe80::1]",
      "https://[::2]",
    ]],
    ["10.0.0.0/99,,:80,.", [], ["https://10.0.0.1", "https://r.example"]],
    // This machine never.
    ["", ["http://localhost:5000", "https://127.3.2.1", "https://[::1]:5000"], ["https://localhost.example"]],
  ];
  for (const [noProxy, direct, through] of rules) {
    const found = proxies({ HTTP_PROXY: "http://p:1", HTTPS_PROXY: "http://p:1", NO_PROXY: noProxy });
    for (const url of direct) assert.equal(found.find(new URL(url)), undefined, `${noProxy}: ${url}`);
    for (const url of through) assert.notEqual(found.find(new URL(url)), undefined, `${noProxy}: ${url}`);
  }
});

Deno.test("a proxy that is none is said without its value", async () => {
  for (const value of ["http://me:planted@:80:80", "ftp://me:planted@x", "http://me:%zzplanted@x"]) {
    const error = await failure(() => proxies({ HTTPS_PROXY: value }), "usage");
    assert.match(error.message, /^\$HTTPS_PROXY is not the URL of a proxy/);
    assert.doesNotMatch(error.message, /planted/);
  }
});
