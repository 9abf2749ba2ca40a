import assert from "node:assert/strict";
import { checkRealm } from "../../src/oci/token_realm.ts";
import { failure } from "./test_support.ts";

const RULES = { plainHttp: false, withLogin: true, tokenHosts: ["sso.corp.test", "10.1.2.3:8443"] };

Deno.test("token servers that a login goes to", () => {
  const allowed = [
    ["docker.io", "https://auth.docker.io/token"],
    ["ghcr.io", "https://ghcr.io/token"],
    ["registry.gitlab.com", "https://gitlab.com/jwt/auth"],
    ["registry.cn-hangzhou.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"],
    ["registry.example:5000", "https://registry.example/token"],
    ["registry.example", "https://registry.example:8443/token"],
    ["registry.example", "https://sso.corp.test/token"],
    ["registry.example", "https://10.1.2.3:8443/token"],
    ["10.0.0.1:5000", "https://10.0.0.1/token"],
    ["[2001:db8::1]:5000", "https://[2001:db8::1]/token"],
    ["127.0.0.1:5000", "http://127.0.0.1:5001/token"],
    ["localhost", "http://localhost:5001/token"],
  ] as const;
  for (const [registry, realm] of allowed) assert.equal(checkRealm(realm, { ...RULES, registry }).href, realm);
  const named = checkRealm("https://u:p@ghcr.io/token?a=b#c", { ...RULES, registry: "ghcr.io" });
  assert.equal(named.href, "https://ghcr.io/token?a=b");
  const plain = { ...RULES, plainHttp: true, registry: "registry.example:5000" };
  assert.equal(checkRealm("http://registry.example:5001/token", plain).protocol, "http:");
});

Deno.test("token servers that get no login; those that are not even asked", async () => {
  const refused = [
    ["ghcr.io", "https://attacker.example/token", /another domain; --token-host attacker\.example allows it/],
    ["ghcr.io", "https://xghcr.io/token", /another domain/],
    ["registry.example.com", "https://registry-example.com/token", /another domain/],
    ["a.b.example.com", "https://c.example.com/token", /another domain/],
    ["10.0.0.1", "https://10.0.0.2/token", /an address/],
    ["10.0.0.1", "https://x.0.0.1.example/token", /another domain/],
    ["127.0.0.1:5000", "http://127.0.0.2/token", /plain http/],
  ] as const;
  for (const [registry, realm, why] of refused) {
    assert.match((await failure(() => checkRealm(realm, { ...RULES, registry }), "denied")).message, why);
  }
  const unasked = [
    ["ghcr.io", "http://ghcr.io/token", /only https/],
    ["ghcr.io", "http://127.0.0.1/token", /only https/],
    ["ghcr.io", "https://127.0.0.1/token", /an address/],
    ["ghcr.io", "https://169.254.169.254/latest/meta-data", /an address/],
    ["ghcr.io", "https://[::ffff:169.254.169.254]/", /an address/],
    ["ghcr.io", "https://2130706433/", /an address/],
    ["ghcr.io", "https://localhost/token", /an address/],
    ["ghcr.io", "file:///etc/passwd", /only https/],
    ["ghcr.io", "data:application/json,{}", /only https/],
    ["ghcr.io", "/token", /not a URL/],
    ["ghcr.io", undefined, /not a URL/],
  ] as const;
  for (const [registry, realm, why] of unasked) {
    for (const withLogin of [false, true]) {
      assert.match((await failure(() => checkRealm(realm, { ...RULES, withLogin, registry }), "denied")).message, why);
    }
  }
  // Nobody's request goes wherever a registry says, as long as it is a name and https.
  checkRealm("https://attacker.example/token", { ...RULES, withLogin: false, registry: "ghcr.io" });
});
