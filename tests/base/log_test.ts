import assert from "node:assert/strict";
import { createLogger, LOG_LEVELS, type LogFields, type LogLevel, SILENT } from "../../src/base/mod.ts";

/** The lines of one call each, at the levels from error to debug, of a logger of `level`. */
function linesAt(level: LogLevel, options: { json?: boolean; message?: string; fields?: LogFields } = {}): string[] {
  const lines: string[] = [];
  const log = createLogger({ level, json: options.json ?? false, write: (line) => lines.push(line) });
  assert.equal(log.level, level);
  for (const at of LOG_LEVELS) log[at](options.message ?? "message", options.fields);
  return lines;
}

Deno.test("lines below the level are dropped", () => {
  const all = ["error", "warn", "info", "debug"].map((level) => `clip: ${level}: message\n`);
  LOG_LEVELS.forEach((level, i) => assert.deepEqual(linesAt(level), all.slice(0, i + 1)));
});

Deno.test("text lines: message, then key=value, quoted where needed", () => {
  const fields = {
    layer: 3,
    ok: true,
    left: undefined,
    path: "/a b",
    empty: "",
    eq: "a=b",
    quote: 'a"b',
    back: "a\\b",
  };
  const [line] = linesAt("error", { fields });
  assert.equal(
    line,
    String.raw`clip: error: message layer=3 ok=true path="/a b" empty="" eq="a=b" quote="a\"b" back="a\\b"` + "\n",
  );
});

Deno.test("JSON lines: time, level, message and fields, one object a line", () => {
  const before = Date.now();
  const lines = linesAt("debug", { json: true, fields: { layer: 3, ok: false, left: undefined, path: 'a "b"\n' } });
  assert.equal(lines.length, 4);
  lines.forEach((line, i) => {
    assert.match(line, /^\{"time":"[^\n]*\}\n$/);
    const { time, ...rest } = JSON.parse(line);
    assert.deepEqual(rest, { level: LOG_LEVELS[i], message: "message", layer: 3, ok: false, path: 'a "b"\n' });
    assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now());
  });
});

Deno.test("fields cannot pass for the line's own", () => {
  const fields = { level: "debug", message: "nothing happened", time: "1970" };
  const { level, message, time } = JSON.parse(linesAt("error", { json: true, fields })[0]!);
  assert.deepEqual([level, message], ["error", "message"]);
  assert.notEqual(time, "1970");
});

Deno.test("a hostile message or value stays on its line and cannot drive a terminal", () => {
  const hostile = "a\nclip: info: fine\r\u001b[2J\u009b31m\u202e\u2028";
  for (const json of [false, true]) {
    const [line] = linesAt("error", { json, message: hostile, fields: { value: hostile, short: "\u001b[2J" } });
    assert.doesNotMatch(line!.slice(0, -1), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    assert.ok(line!.endsWith("\n"));
    if (json) assert.equal(JSON.parse(line!).value, hostile);
  }
});

Deno.test("a logger's functions can be taken off it", () => {
  const lines: string[] = [];
  const { warn } = createLogger({ level: "warn", write: (line) => lines.push(line) });
  warn("alone");
  assert.deepEqual(lines, ["clip: warn: alone\n"]);
});

Deno.test("the silent logger says nothing", () => {
  for (const level of LOG_LEVELS) SILENT[level]("message", { key: 1 });
  assert.equal(SILENT.level, "error");
});
