/** Images that are much to read, or seem to be: time and memory of the process are looked at. */
import assert from "node:assert/strict";
import { MIB } from "../../src/base/mod.ts";
import { DOCUMENT_CASES } from "../hostile/document_cases.ts";
import { type HostileCase, withoutDigests } from "../hostile/hostile_case.ts";
import { BOMB_CASES } from "../hostile/stream_cases.ts";
import { LayoutWriter } from "../oci/make_layout.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

/** Generous: a machine under load takes several times what a quiet one does. */
const MAX_MS = 60_000;
/** The most of them was measured at 302 MiB; nothing here may take as much as it unpacks to. */
const MAX_RESIDENT_BYTES = 512 * MIB;
const POLL_MS = 10;

/** The most memory that a process has had so far; 0 once it is gone. */
function peakResidentBytes(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

async function refusesCheaply(bench: Workbench, { name, make, message, options = [] }: HostileCase): Promise<void> {
  const layout = new LayoutWriter(bench.directory("layout"));
  make(layout);
  const before = bench.names();
  const started = performance.now();
  const args = ["index", "--progress", "none", "--platform", "linux/amd64", ...options];
  const running = bench.spawnClip([...args, `oci:${layout.path}:v1`, "-o", "out.clip"]);
  let peakBytes = 0;
  const poll = setInterval(() => peakBytes = Math.max(peakBytes, peakResidentBytes(running.pid)), POLL_MS);
  running.firstLine.catch(() => {});
  const { code, stdout, stderr } = await running.ended.finally(() => clearInterval(poll));
  assert.deepEqual([code, stdout], [1, ""], stderr);
  assert.match(withoutDigests(stderr), new RegExp(`^clip: error: ${message.source}\\n$`), name);
  assert(performance.now() - started < MAX_MS, `${name}: ${performance.now() - started} ms`);
  assert(peakBytes > 10 * MIB && peakBytes < MAX_RESIDENT_BYTES, `${name}: ${peakBytes} bytes resident`);
  assert.deepEqual(bench.names().filter((left) => left !== "cache"), before, name);
}

const HEAVY = [...BOMB_CASES, ...DOCUMENT_CASES.filter(({ name }) => /100 MB|nested a million/.test(name))];

for (const hostile of HEAVY) {
  e2eTest(`hostile: ${hostile.name}`, [], (bench) => refusesCheaply(bench, hostile));
}
