/**
 * What one request costs: `deno run -A bench/fuse_loop_bench.ts`. A Worker serves a small tree; this thread makes
 * system calls that the kernel always passes on (statfs, lookups of new names), one at a time, and then dd reads a file
 * past the page cache. Needs root and /dev/fuse.
 */
import { formatBytes } from "../src/base/mod.ts";
import { Opcode } from "../src/fuse/abi.ts";
import { MemoryFileSystem } from "../tests/fuse/memory_file_system.ts";
import { mountTree, run } from "../tests/fuse/mounted.ts";
import { encodeRequest, readIn, Replay, words } from "../tests/fuse/replay.ts";

const REQUESTS = 50_000;
const FILE_BYTES = 64 << 20;

/** Microseconds a call of `work`, after a warm-up. */
function microseconds(calls: number, work: (call: number) => void): string {
  for (let call = 0; call < calls / 5; call++) work(-call - 1);
  const start = performance.now();
  for (let call = 0; call < calls; call++) work(call);
  return ((performance.now() - start) * 1000 / calls).toFixed(2);
}

async function measureKernel(print: (line: string) => void): Promise<void> {
  const library = Deno.dlopen("libc.so.6", {
    statfs: { parameters: ["buffer", "buffer"], result: "i32" },
    access: { parameters: ["buffer", "i32"], result: "i32" },
  });
  await using mounted = await mountTree({ children: { zeros: { text: "\0".repeat(FILE_BYTES) } } });
  await run("ls", mounted.path);
  const encoder = new TextEncoder();
  const path = encoder.encode(`${mounted.path}\0`);
  const figures = new Uint8Array(256);
  const own = encoder.encode("/proc\0");
  const local = microseconds(REQUESTS, () => void library.symbols.statfs(own, figures));
  print(`statfs of /proc, for comparison:   ${local} µs`);
  const statfs = microseconds(REQUESTS, () => void library.symbols.statfs(path, figures));
  print(`statfs by way of the server:       ${statfs} µs`);
  const names = Array.from({ length: REQUESTS * 2 }, (_, i) => encoder.encode(`${mounted.path}/${i}\0`));
  let at = 0;
  const lookup = microseconds(REQUESTS, () => void library.symbols.access(names[at++]!, 0));
  print(`lookup of a new, missing name:     ${lookup} µs`);
  for (const flags of [["iflag=direct"], []]) {
    const start = performance.now();
    await run("dd", `if=${mounted.path}/zeros`, "of=/dev/null", "bs=1M", ...flags);
    const seconds = (performance.now() - start) / 1000;
    print(
      `dd ${flags.join("") || "with page cache"}, ${formatBytes(FILE_BYTES)}: ${formatBytes(FILE_BYTES / seconds)}/s`,
    );
  }
  library.close();
}

function measureServer(print: (line: string) => void): void {
  const children = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`entry-number-${i}`, { text: "some" }]));
  const { server } = new Replay(new MemoryFileSystem({ children }));
  const requests: [string, Uint8Array][] = [
    ["GETATTR", encodeRequest(Opcode.GETATTR, 2, words([0, 0, 0, 0]))],
    ["LOOKUP", encodeRequest(Opcode.LOOKUP, 1, words([], "entry-number-3\0"))],
    ["READ of 4 bytes", encodeRequest(Opcode.READ, 2, readIn(0, 4096))],
    ["READDIRPLUS of 32 entries", encodeRequest(Opcode.READDIRPLUS, 1, readIn(0, 8192))],
  ];
  for (const [name, request] of requests) {
    server.request.set(request);
    print(`${`handle ${name}:`.padEnd(34)} ${microseconds(200_000, () => void server.handle(request.length))} µs`);
  }
}

if (import.meta.main) {
  // deno-lint-ignore no-console -- a bench prints
  const print = (line: string) => console.log(line);
  measureServer(print);
  await measureKernel(print);
}
