/** Requests with random faults: the server never throws, nor answers what the kernel would refuse. */
import { Opcode } from "../../src/fuse/abi.ts";
import type { FuzzTarget } from "../fuzz/fuzz_target.ts";
import { MemoryFileSystem } from "./memory_file_system.ts";
import { encodeRequest, readIn, Replay, words } from "./replay.ts";

/** Requests of all kinds, some faults each, to one server all the time. Accepted are those that get a reply. */
export const requestsFuzz: FuzzTarget = {
  name: "requests",
  prepare() {
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
    return (random) => {
      const opcode = opcodes[random.below(opcodes.length)]!;
      let request = encodeRequest(
        opcode,
        random.below(9),
        bodies[random.below(bodies.length)]!,
        random.below(2 ** 31),
        random.below(2 ** 31),
      );
      // Half of the faults leave the header alone, so that they get past it.
      const first = random.below(2) === 0 ? 0 : 40;
      for (let faults = random.below(4); faults > 0 && first < request.length; faults--) {
        request[first + random.below(request.length - first)] = random.below(3) === 0 ? 0xff : random.below(256);
      }
      if (random.below(8) === 0) request = request.slice(0, random.below(request.length + 1));
      if (random.below(2) === 0 && request.length >= 4) new DataView(request.buffer).setUint32(0, request.length, true);
      return { accepted: it.sendBytes(request) !== undefined };
    };
  },
};
