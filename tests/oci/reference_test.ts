import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "../../src/base/mod.ts";
import { formatImageReference, type ImageReference, parseImageReference } from "../../src/oci/mod.ts";
import { withAbsolutePath } from "../../src/oci/reference.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;

/** Text and its canonical form. */
const ACCEPTED: readonly (readonly [string, string])[] = [
  ["ubuntu", "docker://docker.io/library/ubuntu:latest"],
  ["ubuntu:24.04", "docker://docker.io/library/ubuntu:24.04"],
  ["docker://ubuntu", "docker://docker.io/library/ubuntu:latest"],
  ["docker.io/ubuntu", "docker://docker.io/library/ubuntu:latest"],
  ["index.docker.io/ubuntu", "docker://docker.io/library/ubuntu:latest"],
  ["index.docker.io/a/b:c", "docker://docker.io/a/b:c"],
  ["user/image", "docker://docker.io/user/image:latest"],
  ["localhost/image", "docker://localhost/image:latest"],
  ["localhost:5000", "docker://docker.io/library/localhost:5000"],
  ["localhost:5000/image", "docker://localhost:5000/image:latest"],
  ["quay.io/a/b/c__d.e-f---g:T_1.x-", "docker://quay.io/a/b/c__d.e-f---g:T_1.x-"],
  ["[::1]:5000/image", "docker://[::1]:5000/image:latest"],
  ["host:5000/image:tag", "docker://host:5000/image:tag"],
  [`ubuntu@${DIGEST}`, `docker://docker.io/library/ubuntu@${DIGEST}`],
  [`quay.io/a:1@${DIGEST}`, `docker://quay.io/a:1@${DIGEST}`],
  ["oci:dir", "oci:dir"],
  ["oci:/abs/dir:v1", "oci:/abs/dir:v1"],
  ["oci:dir:docker.io/library/x:1", "oci:dir:docker.io/library/x:1"],
  [`oci:/abs/dir@${DIGEST}`, `oci:/abs/dir@${DIGEST}`],
  ["oci:mail@example", "oci:mail@example"],
  ["oci-archive:a b.tar:latest", "oci-archive:a b.tar:latest"],
  ["docker-archive:x.tar", "docker-archive:x.tar"],
  ["docker-archive:x.tar:busybox", "docker-archive:x.tar:docker.io/library/busybox:latest"],
  ["docker-archive:x.tar:quay.io/a:5", "docker-archive:x.tar:quay.io/a:5"],
];

for (const [text, canonical] of ACCEPTED) {
  Deno.test(`reference ${text.replace(DIGEST, "DIGEST")}`, () => {
    assert.equal(formatImageReference(parseImageReference(text)), canonical);
    assert.deepEqual(parseImageReference(canonical), parseImageReference(text));
  });
}

/** Text and what its refusal says. */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["", /empty/],
  ["docker://", /empty/],
  ["Ubuntu", /lower case/],
  ["quay.io/Foo/bar", /lower case/],
  ["Foo/bar", /lower case/],
  [HEX, /image ID/],
  ["a//b", /part of a repository name/],
  ["a/", /part of a repository name/],
  ["-a", /part of a repository name/],
  ["a..b", /part of a repository name/],
  ["a___b", /part of a repository name/],
  ["../etc", /not a host/],
  ["a:b:c", /part of a repository name/],
  ["a:", /tag/],
  ["a:-x", /tag/],
  [`a:${"x".repeat(129)}`, /tag/],
  ["a@sha256:12", /digest/],
  [`a@sha256:${HEX.toUpperCase()}`, /digest/],
  [`a@md5:${HEX}`, /digest/],
  ["-host.x/a", /not a host/],
  ["host:99999/a", /not a host/],
  ["host:/a", /not a host/],
  ["user@host.x/a", /digest/],
  [`quay.io/${"a".repeat(248)}`, /255 characters/],
  ["x".repeat(9000), /too long/],
  ["oci:", /path is empty/],
  ["oci::tag", /path is empty/],
  ["oci:dir:", /not a tag/],
  ["oci:dir:a b", /not a tag/],
  ["oci:dir@sha256:12", /digest/],
  ["docker-archive:x.tar:Foo", /lower case/],
  [`docker-archive:x.tar:a@${DIGEST}`, /no digests/],
  ["docker-daemon:busybox:latest", /write NAME/],
  ["https://quay.io/a", /write NAME/],
  ["a\u001b[31m", /\\x1b\[31m/],
];

for (const [text, pattern] of REFUSED) {
  Deno.test(`no reference: ${JSON.stringify(text.slice(0, 40)).replaceAll("\\", "")}`, () => {
    assert.throws(
      () => parseImageReference(text),
      (error) => error instanceof UsageError && pattern.test(error.message),
    );
  });
}

Deno.test("255 characters are not too long", () => {
  assert.equal(parseImageReference(`quay.io/${"a".repeat(247)}`).transport, "docker");
});

Deno.test("canonical text parses back, whatever the text was", () => {
  const piece = fc.constantFrom(..."aA0._-/:@ ", "oci:", "sha256:", HEX, "docker://", "localhost", "\0", "é");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      let reference: ImageReference;
      try {
        reference = parseImageReference(pieces.join(""));
      } catch (error) {
        assert(error instanceof UsageError);
        return;
      }
      assert.deepEqual(parseImageReference(formatImageReference(reference)), reference);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("relative paths become absolute, and no text is made of a path with a colon", () => {
  const { path } = withAbsolutePath({ transport: "oci", path: "./a/b" } as const);
  assert.equal(path, `${Deno.cwd()}/a/b`);
  assert.equal(withAbsolutePath({ transport: "oci", path: "/x" } as const).path, "/x");
  assert.throws(() => withAbsolutePath({ transport: "oci", path: "/a:b" } as const), UsageError);
  assert.throws(() => formatImageReference({ transport: "docker-archive", path: "/a:b" }), UsageError);
});
