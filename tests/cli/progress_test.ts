import assert from "node:assert/strict";
import { createProgress } from "../../src/cli/progress.ts";
import type { LayerProgress } from "../../src/indexer/mod.ts";
import { FakeIo } from "./fake_io.ts";

const { test } = Deno;
const MIB = 1024 * 1024;

function step(layer: number, compressedBytes: number, done = false): LayerProgress {
  const digest = `sha256:${String(layer).repeat(64)}`;
  return { layer, digest, compressedBytes, totalBytes: 10 * MIB, plainBytes: 3 * compressedBytes, done, reused: false };
}

/** Runs `work` with a clock that stands still but for `pass`. */
function withClock(work: (pass: (ms: number) => void) => void): void {
  const { now } = performance;
  let ms = 1000;
  performance.now = () => ms;
  try {
    work((more) => ms += more);
  } finally {
    performance.now = now;
  }
}

test("plain: a line when a layer begins, every two seconds, and when it is done", () =>
  withClock((pass) => {
    const io = new FakeIo();
    const view = createProgress("plain", io);
    view.onProgress(step(0, 0));
    view.onProgress(step(0, MIB));
    view.onProgress(step(1, 0));
    pass(2000);
    view.onProgress(step(0, 5 * MIB));
    view.onProgress(step(0, 6 * MIB));
    view.onProgress(step(0, 10 * MIB, true));
    view.end();
    assert.deepEqual(io.err_.split("\n"), [
      "layer 0 000000000000: 0 B of 10.0 MiB",
      "layer 1 111111111111: 0 B of 10.0 MiB",
      "layer 0 000000000000: 5.00 MiB of 10.0 MiB, 2.50 MiB/s, 2.00 s left",
      "layer 0 000000000000: done, 10.0 MiB (30.0 MiB unpacked)",
      "",
    ]);
  }));

test("json: every step, as it is", () => {
  const io = new FakeIo();
  const view = createProgress("json", io);
  view.onProgress(step(0, 7));
  view.end();
  assert.deepEqual(JSON.parse(io.err_), step(0, 7));
});

test("auto: bars on a terminal, lines elsewhere; none: nothing", () => {
  const shown = (mode: "auto" | "none", terminal?: { columns: number }) => {
    const io = new FakeIo();
    io.terminal = terminal;
    const view = createProgress(mode, io);
    view.onProgress(step(0, MIB));
    view.end();
    return io.err_;
  };
  assert.match(shown("auto"), /^layer 0 .*\n$/);
  assert.match(shown("auto", { columns: 80 }), /^0{12} \[██░+\]/);
  assert.equal(shown("none"), "");
  assert.equal(shown("none", { columns: 80 }), "");
});

test("bars: one a layer in order, redrawn in place ten times a second at most, erased at the end", () =>
  withClock((pass) => {
    const io = new FakeIo();
    io.terminal = { columns: 100 };
    const view = createProgress("auto", io);
    view.onProgress(step(1, 0));
    assert.equal(io.err_, `111111111111 [${"░".repeat(24)}]   0 % of 10.0 MiB\n`);
    io.err_ = "";
    pass(50);
    view.onProgress(step(0, MIB));
    assert.equal(io.err_, "", "too soon");
    pass(1000);
    view.onProgress(step(1, 5 * MIB));
    assert.equal(
      io.err_,
      `\x1b[1A\x1b[J000000000000 [██${"░".repeat(22)}]  10 % of 10.0 MiB, 1.00 MiB/s, 9.00 s left\n` +
        `111111111111 [${"█".repeat(12)}${"░".repeat(12)}]  50 % of 10.0 MiB, 4.76 MiB/s, 1.05 s left\n`,
    );
    io.err_ = "";
    view.onProgress(step(1, 10 * MIB, true));
    assert(io.err_.startsWith("\x1b[2A\x1b[J"), "at once when a layer is done");
    assert(io.err_.endsWith(`111111111111 [${"█".repeat(24)}] 100 % of 10.0 MiB done\n`));
    io.err_ = "";
    view.end();
    assert.equal(io.err_, "\x1b[2A\x1b[J");
    io.err_ = "";
    view.end();
    assert.equal(io.err_, "");
  }));

test("bars never fill the last column, so that no terminal wraps them", () => {
  for (const columns of [20, 40, 60]) {
    const io = new FakeIo();
    io.terminal = { columns };
    createProgress("auto", io).onProgress(step(0, 10 * MIB, true));
    const [line] = io.err_.split("\n");
    assert.equal(line!.length, Math.min(columns - 1, 60), line);
  }
});

test("an empty layer is no division by zero", () => {
  const io = new FakeIo();
  io.terminal = { columns: 90 };
  createProgress("auto", io).onProgress({ ...step(0, 0), totalBytes: 0 });
  assert.match(io.err_, /100 % of 0 B/);
});
