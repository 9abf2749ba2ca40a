import assert from "node:assert/strict";
import fc from "fast-check";
import { parseChallenges } from "../../src/oci/challenge.ts";

function parsed(header: string | null): [string, Record<string, string>][] {
  return parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

Deno.test("challenges of real registries", () => {
  assert.deepEqual(
    parsed(
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull,push"',
    ),
    [["bearer", {
      realm: "https://auth.docker.io/token",
      service: "registry.docker.io",
      scope: "repository:library/x:pull,push",
    }]],
  );
  assert.deepEqual(parsed('Basic realm="Registry Realm"'), [["basic", { realm: "Registry Realm" }]]);
  assert.deepEqual(parsed("BASIC"), [["basic", {}]]);
  assert.deepEqual(parsed(null), []);
});

Deno.test("several challenges, quoted pairs, tokens, odd spaces, token68", () => {
  assert.deepEqual(
    parsed('Negotiate abc==, Bearer realm = "a\\"b, c\\\\" , SERVICE=x , error="insufficient_scope",, Basic realm="r"'),
    [
      ["negotiate", {}],
      ["bearer", { realm: 'a"b, c\\', service: "x", error: "insufficient_scope" }],
      ["basic", { realm: "r" }],
    ],
  );
  assert.deepEqual(parsed("Negotiate, Basic realm=x"), [["negotiate", {}], ["basic", { realm: "x" }]]);
  assert.deepEqual(parsed('Bearer realm="a",realm="b"'), [["bearer", { realm: "a" }]]);
});

Deno.test("nonsense ends the list", () => {
  assert.deepEqual(parsed('Bearer realm="unterminated'), [["bearer", {}]]);
  assert.deepEqual(parsed('Bearer realm="a", "x"'), [["bearer", { realm: "a" }]]);
  assert.deepEqual(parsed(`Basic realm="${"x".repeat(9000)}"`), []);
});

Deno.test("any text ends, without an exception", () => {
  const piece = fc.constantFrom("Bearer", "Basic", " ", ",", "=", '"', "\\", "realm", "é", "\t", "==", "x/y");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      for (const { scheme } of parseChallenges(pieces.join(""))) assert.match(scheme, /^[^\s,"=]+$/);
    }),
    { numRuns: 5000 },
  );
});
