import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatBytes,
  formatDuration,
  GIB,
  KIB,
  MIB,
  parseDuration,
  parseSize,
  UsageError,
} from "../../src/base/mod.ts";

Deno.test("sizes as people write them", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["1000", 1000],
    ["7b", 7],
    ["512KiB", 512 * KIB],
    ["512k", 512 * KIB],
    ["512 KB", 512_000],
    ["2M", 2 * MIB],
    ["2mb", 2_000_000],
    ["1.5GiB", 1.5 * GIB],
    ["  3G ", 3 * GIB],
    ["1t", 1024 * GIB],
    ["1TB", 1e12],
    ["0.0001K", 0],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, text);
});

Deno.test("durations as people write them, and what is none", () => {
  const cases: [string, number][] = [["500ms", 500], ["30", 30_000], ["30s", 30_000], ["1.5 m", 90_000], [
    "2h",
    7_200_000,
  ]];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
  for (const text of ["", "0", "0.1ms", "-1s", "1d", "s", "1e3", "1000h", "Infinity"]) {
    assert.throws(() => parseDuration(text), UsageError, text);
  }
});

Deno.test("what is no size is refused by name", () => {
  const wrong = [
    "",
    " ",
    "K",
    "-1",
    "+1",
    "1e6",
    "1,5M",
    "1.",
    ".5",
    "0x10",
    "1 2",
    "1KK",
    "1PiB",
    "1constructor",
    "9999999999T",
  ];
  for (const text of [...wrong, "1".repeat(400)]) {
    assert.throws(() => parseSize(text), (error) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, `"${text}" is not a size; write it like 512KiB, 2MiB or 1GiB`);
      return true;
    });
  }
});

Deno.test("bytes for people", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1023, "1023 B"],
    [1024, "1.00 KiB"],
    [1536, "1.50 KiB"],
    [10 * KIB, "10.0 KiB"],
    [1023.9 * KIB, "1023.9 KiB"],
    [MIB - 1, "1.00 MiB"],
    [23.1 * MIB, "23.1 MiB"],
    [GIB, "1.00 GiB"],
    [5000 * 1024 * GIB, "5000.0 TiB"],
  ];
  for (const [bytes, shown] of cases) assert.equal(formatBytes(bytes), shown);
});

Deno.test("durations for people", () => {
  const cases: [number, string][] = [
    [0, "0.0 ms"],
    [1.46, "1.5 ms"],
    [9.94, "9.9 ms"],
    [9.96, "10 ms"],
    [12.4, "12 ms"],
    [999.4, "999 ms"],
    [999.7, "1.00 s"],
    [1337, "1.34 s"],
    [59_990, "59.99 s"],
    [59_996, "1 min 0 s"],
    [119_600, "2 min 0 s"],
    [125_000, "2 min 5 s"],
    [7_200_000, "120 min 0 s"],
  ];
  for (const [ms, shown] of cases) assert.equal(formatDuration(ms), shown);
});

Deno.test("no duration shows sixty seconds, no size 1024 of a unit", () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 1e8, noNaN: true }), (ms) => {
    assert.doesNotMatch(formatDuration(ms), /min 60 s|^60\.00 s|^1000 ms|^10\.0 ms/);
  }));
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (bytes) => {
    assert.doesNotMatch(formatBytes(bytes), /^1024\.0/);
  }));
});
