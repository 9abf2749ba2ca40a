import assert from "node:assert/strict";
import { ClipError, CorruptError, DigestMismatchError } from "../../src/base/mod.ts";
import { Errno, errnoName, errnoOf } from "../../src/fuse/mod.ts";

Deno.test("errors become the errno that a reader of the mount can make sense of", () => {
  assert.equal(errnoOf(new ClipError("aborted", "stopped")), Errno.EINTR);
  assert.equal(errnoOf(new ClipError("denied", "no")), Errno.EIO);
  for (const code of ["not_found", "corrupt", "registry", "network", "io", "limit", "internal", "usage"] as const) {
    assert.equal(errnoOf(new ClipError(code, "x")), Errno.EIO, code);
  }
  assert.equal(errnoOf(new CorruptError({ subject: "gzip", field: "magic" })), Errno.EIO);
  assert.equal(errnoOf(new DigestMismatchError("a span", { digest: "sha256:0", actual: "sha256:1" })), Errno.EIO);
});

Deno.test("whatever else is thrown is EIO", () => {
  for (const thrown of [new Error("x"), new TypeError("y"), "text", undefined, null, 5, { code: "ENOENT" }]) {
    assert.equal(errnoOf(thrown), Errno.EIO);
  }
});

Deno.test("names of error numbers", () => {
  assert.equal(errnoName(107), "ENOTCONN");
  assert.equal(errnoName(999), "errno 999");
});
