import assert from "node:assert/strict";
import { describeValue, escapeControls } from "../../src/base/mod.ts";

Deno.test("values are told in few words", () => {
  const cases: [unknown, string][] = [
    [undefined, "nothing"],
    [null, "null"],
    [true, "true"],
    [-1.5, "-1.5"],
    [NaN, "NaN"],
    [10n ** 20n, "100000000000000000000"],
    ["", '""'],
    ['a "b"\n', String.raw`"a \"b\"\n"`],
    [[1, 2], "a list"],
    [{ a: 1 }, "an object"],
    ["\u001b[31m\u202e\u009b", String.raw`"\u001b[31m\u202e\u009b"`],
  ];
  for (const [value, expected] of cases) assert.equal(describeValue(value), expected);
});

Deno.test("long texts are cut", () => {
  assert.equal(describeValue("x".repeat(160)), `"${"x".repeat(160)}"`);
  assert.equal(describeValue("x".repeat(161)), `"${"x".repeat(160)}"…`);
  assert.ok(describeValue("\u202e".repeat(1e6)).length < 1200);
});

Deno.test("controls become escapes, in and beyond the basic plane", () => {
  assert.equal(escapeControls("a\nb\r\t\0"), String.raw`a\nb\u000d\u0009\u0000`);
  assert.equal(escapeControls("\u{e0001}x"), String.raw`\udb40\udc01x`);
  assert.equal(escapeControls("é 日本 😀 \\"), "é 日本 😀 \\");
});
