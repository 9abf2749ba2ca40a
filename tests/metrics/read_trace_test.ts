import assert from "node:assert/strict";
import { ClipError, createLogger, SILENT } from "../../src/base/mod.ts";
import { ReadTrace, type TracedRead } from "../../src/metrics/mod.ts";

const READ: TracedRead = { started: 0, inode: 7, offset: 0, bytes: 10, pid: 42, tier: "registry", duration: 1500 };

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-trace-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function linesOf(path: string): Promise<Record<string, unknown>[]> {
  const text = await Deno.readTextFile(path);
  assert.ok(text === "" || text.endsWith("\n"));
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

Deno.test("a line a read, in the order of time, whichever thread answered", () =>
  inFolder(async (folder) => {
    const path = `${folder}/trace`;
    const now = () => performance.now() * 1000;
    const trace = new ReadTrace({ path, pathOf: (inode) => `/file "${inode}"`, now, log: SILENT });
    const started = now();
    trace.add({ ...READ, started: started + 300, error: "network" });
    trace.ring.push(started + 100, 8, 4096, 131_072, 43, 12.3456);
    trace.add({ ...READ, started: started + 200, pid: undefined });
    await trace.close();
    const lines = await linesOf(path);
    assert.deepEqual(lines.map(({ time: _, ...rest }) => rest), [
      { pid: 43, path: '/file "8"', offset: 4096, length: 131_072, tier: "disk", durationMs: 0.012 },
      { path: '/file "7"', offset: 0, length: 10, tier: "registry", durationMs: 1.5 },
      { pid: 42, path: '/file "7"', offset: 0, length: 10, tier: "registry", durationMs: 1.5, error: "network" },
    ]);
    const times = lines.map(({ time }) => String(time));
    for (const time of times) {
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);
    }
    assert.deepEqual(times, times.toSorted());
  }));

Deno.test("lines are added to what is there, also while the trace goes on", () =>
  inFolder(async (folder) => {
    const path = `${folder}/trace`;
    await Deno.writeTextFile(path, '{"before":true}\n');
    const trace = new ReadTrace({ path, pathOf: () => "/x", now: () => 0, log: SILENT });
    for (let i = 0; i < 5000; i++) trace.add(READ);
    while ((await linesOf(path)).length < 5001) await new Promise((resolve) => setTimeout(resolve, 20));
    trace.ring.push(0, 1, 2, 3, 4, 5);
    await trace.close();
    assert.equal((await linesOf(path)).length, 5002);
  }));

Deno.test("what could not be kept is counted in the trace", () =>
  inFolder(async (folder) => {
    const path = `${folder}/trace`;
    const trace = new ReadTrace({ path, pathOf: () => "/x", now: () => 0, log: SILENT });
    for (let i = 0; i < 65_536 + 7; i++) trace.ring.push(0, 1, 2, 3, 4, 5);
    for (let i = 0; i < 65_536 + 5; i++) trace.add(READ);
    await trace.close();
    const lines = await linesOf(path);
    assert.equal(lines.length, 2 * 65_536 + 1);
    assert.deepEqual(lines.map(({ dropped }) => dropped).filter((count) => count !== undefined), [12]);
  }));

Deno.test("a trace that cannot be opened is an error; one that cannot be written ends with a line in the log", async () => {
  const options = { pathOf: () => "/x", now: () => 0, log: SILENT };
  assert.throws(
    () => new ReadTrace({ ...options, path: "/nonexistent/trace" }),
    (error) => error instanceof ClipError && error.code === "io" && error.message.includes("/nonexistent/trace"),
  );
  const lines: string[] = [];
  const log = createLogger({ level: "warn", write: (line) => lines.push(line) });
  const trace = new ReadTrace({ ...options, path: "/dev/full", log });
  for (let i = 0; i < 10_000; i++) trace.add(READ);
  await trace.close();
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /the trace ends here: cannot write \/dev\/full/);
});
