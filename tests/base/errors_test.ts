import assert from "node:assert/strict";
import {
  assert as clipAssert,
  ClipError,
  CorruptError,
  DigestMismatchError,
  messageOf,
  UsageError,
} from "../../src/base/mod.ts";

Deno.test("each error has a name, a code and a word on whether to try again", () => {
  const cases: [ClipError, string, string, boolean][] = [
    [new ClipError("io", "x"), "ClipError", "io", false],
    [new ClipError("network", "x", { retryable: true }), "ClipError", "network", true],
    [new UsageError("x"), "UsageError", "usage", false],
    [new CorruptError({ subject: "tar", field: "checksum" }), "CorruptError", "corrupt", false],
    [new CorruptError({ subject: "tar", field: "x" }, { retryable: true }), "CorruptError", "corrupt", true],
    [new DigestMismatchError("x", { digest: "a", actual: "b" }), "DigestMismatchError", "digest_mismatch", false],
  ];
  for (const [error, name, code, retryable] of cases) {
    assert.ok(error instanceof ClipError && error instanceof Error);
    assert.deepEqual([error.name, error.code, error.retryable], [name, code, retryable]);
    assert.ok(error.stack!.startsWith(`${name}: `));
  }
});

Deno.test("a corruption says what, where, what was found and what was expected, as far as that is known", () => {
  const message = (details: ConstructorParameters<typeof CorruptError>[0]) => new CorruptError(details).message;
  assert.equal(message({ subject: "tar", field: "checksum" }), "tar: bad checksum");
  assert.equal(message({ subject: "tar", field: "size", source: "layer 2" }), "tar layer 2: bad size");
  assert.equal(message({ subject: "tar", field: "size", offset: 0 }), "tar: bad size at byte 0");
  assert.equal(message({ subject: "tar", field: "size", actual: 0 }), "tar: bad size: found 0");
  assert.equal(message({ subject: "tar", field: "size", expected: "more" }), "tar: bad size: expected more");
  assert.equal(
    message({ subject: "gzip", source: "l", field: "CRC", offset: 512, actual: 1, expected: 2 }),
    "gzip l: bad CRC at byte 512: found 1, expected 2",
  );
});

Deno.test("an error keeps its details and its cause", () => {
  const cause = new Error("below");
  const details = { subject: "tar", field: "size", offset: 7 };
  const error = new CorruptError(details, { cause });
  assert.equal(error.details, details);
  assert.equal(error.cause, cause);
});

Deno.test("messageOf tells the causes once each", () => {
  const inner = new Error("connection reset");
  assert.equal(messageOf(inner), "connection reset");
  assert.equal(messageOf(new Error("cannot read", { cause: inner })), "cannot read: connection reset");
  assert.equal(
    messageOf(new Error("cannot read: connection reset", { cause: inner })),
    "cannot read: connection reset",
  );
  assert.equal(messageOf(new Error("a", { cause: new Error("b", { cause: "c" }) })), "a: b: c");
  assert.equal(messageOf("text"), "text");
  assert.equal(messageOf(undefined), "undefined");
  assert.equal(messageOf({ toString: () => "odd" }), "odd");
});

Deno.test("messageOf ends, even where errors cause each other", () => {
  const a: Error = new Error("a");
  a.cause = new Error("b", { cause: a });
  assert.match(messageOf(a), /^a: b: a/);
});

Deno.test("assert throws an internal error for what only a bug can break", () => {
  clipAssert(true, "fine");
  assert.throws(() => clipAssert(false, "a directory has two names"), (error) => {
    assert.ok(error instanceof ClipError && error.code === "internal");
    assert.equal(error.message, "internal error: a directory has two names");
    return true;
  });
});
