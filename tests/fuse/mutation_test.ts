import assert from "node:assert/strict";
import { Opcode } from "../../src/fuse/abi.ts";
import { MemoryFileSystem } from "./memory_file_system.ts";
import { encodeRequest, readIn, Replay, words } from "./replay.ts";

const ROUNDS = 60_000;

/** A generator of 32-bit numbers. Source: Marsaglia, "Xorshift RNGs". */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

Deno.test("requests with random faults never make the server throw, nor answer what the kernel would refuse", () => {
  const seed = Number(Deno.env.get("CLIP_TEST_SEED") ?? (Math.random() * 2 ** 31) >>> 0);
  // deno-lint-ignore no-console -- so that a failure can be repeated
  console.log(`seed: CLIP_TEST_SEED=${seed}`);
  const random = randomNumbers(seed);
  const it = new Replay(
    new MemoryFileSystem({
      children: {
        file: { text: "x".repeat(10_000), xattrs: { "user.a": "v" } },
        link: { target: "file" },
        later: { reading: "deferred" },
        broken: { reading: "throws" },
        liar: { reading: "lies" },
        sub: { children: { inner: { text: "i" } } },
      },
    }),
    { replyBytes: 65536 },
  );
  const bodies = [
    words([], "file\0"),
    readIn(0, 4096),
    readIn(2, 1 << 20),
    words([64, 0], "user.a\0"),
    words([7, 40, 1 << 17, 0xffffffff, 0xffffffff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    words([1, 2]),
    new Uint8Array(),
  ];
  const opcodes = Object.values(Opcode);
  let replies = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const opcode = opcodes[random(opcodes.length)]!;
    let request = encodeRequest(opcode, random(9), bodies[random(bodies.length)]!, random(2 ** 31), random(2 ** 31));
    // Half of the faults leave the header alone, so that they get past it.
    const first = random(2) === 0 ? 0 : 40;
    for (let faults = random(4); faults > 0 && first < request.length; faults--) {
      request[first + random(request.length - first)] = random(3) === 0 ? 0xff : random(256);
    }
    if (random(8) === 0) request = request.slice(0, random(request.length + 1));
    if (random(2) === 0 && request.length >= 4) new DataView(request.buffer).setUint32(0, request.length, true);
    if (it.sendBytes(request) !== undefined) replies++;
  }
  assert.ok(replies > ROUNDS / 4, `only ${replies} replies`);
});
