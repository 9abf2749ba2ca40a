import assert from "node:assert/strict";
import { ClipError, createLogger } from "../../src/base/mod.ts";
import { Opcode } from "../../src/fuse/abi.ts";
import { FuseServer, libc, serve } from "../../src/fuse/mod.ts";
import { MemoryFileSystem } from "./memory_file_system.ts";
import { encodeRequest } from "./replay.ts";

// Opened here, and for good: a library opened during a test counts as a leak of it.
libc();

function server(): FuseServer {
  return new FuseServer(new MemoryFileSystem({ children: {} }), { onDeferred: () => {}, onInterrupt: () => {} });
}

const isIo = (error: unknown) => error instanceof ClipError && error.code === "io";

Deno.test("a descriptor that is no connection ends the loop with an error", () => {
  assert.throws(() => serve(-1, server()), isIo);
  const nothing = libc().open("/dev/null", 0);
  assert.throws(() => serve(nothing, server()), isIo);
  libc().close(nothing);
});

Deno.test("replies that cannot be written are tried as errors, and logged", () => {
  const library = libc();
  const ends = new Int32Array(2);
  library.pipe(ends);
  const [from, to] = ends as unknown as [number, number];
  const request = encodeRequest(Opcode.STATFS, 1, new Uint8Array());
  library.write(to, request, request.length);
  library.close(to);
  const lines: string[] = [];
  const log = createLogger({ level: "error", write: (line) => lines.push(line) });
  // The end to read from cannot be written to.
  assert.throws(() => serve(from, server(), { log }), isIo);
  assert.match(lines.join(), /refused a FUSE reply: EBADF/);
  library.close(from);
});

Deno.test("a hook that says so ends the loop before it reads", () => {
  assert.equal(serve(-1, server(), { shouldStop: () => true }), "stopped");
});
