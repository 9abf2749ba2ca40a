import assert from "node:assert/strict";
import { equalBytes } from "../../../src/base/mod.ts";
import { CheckpointKind, codecByName, MAX_CHECKPOINT_LAG_BYTES, type PlainSink } from "../../../src/codec/mod.ts";
import { isInstalled } from "../../e2e/programs.ts";
import { checkDecodes, codecContract, concat, scan } from "../codec_contract.ts";
import { SeededRandom } from "../seeded_random.ts";
import { frame, handmadeFrame, handmadeStreams, hasLibzstd, libzstdStreams, sections, skippable } from "./streams.ts";

const zstd = codecByName("zstd");
// deno-lint-ignore no-console -- a skip says why
if (!hasLibzstd) console.log("skip: zstd streams made by node:zlib: this runtime has no zstd");

codecContract(zstd, function* () {
  yield* handmadeStreams();
  yield* libzstdStreams();
});

function refusal(compressed: Uint8Array): string {
  try {
    scan(zstd, [compressed], { spacingBytes: 1 << 20 });
  } catch (error) {
    return String(error);
  }
  return assert.fail("it was accepted");
}

Deno.test("zstd: the starts of frames are checkpoints, about every spacing and before large files", () => {
  const frames = Array.from({ length: 40 }, (_, i) => handmadeFrame([[1, 10_000, Uint8Array.of(i)]]));
  const { checkpoints } = scan(zstd, [concat(frames)], { spacingBytes: 100_000, fileStarts: [35_000, 220_000] });
  const kinds = checkpoints.map(({ kind, plainOffset, atHeader }) => [kind, plainOffset, atHeader]);
  assert.deepEqual(kinds, [
    [CheckpointKind.start, 0, true],
    [CheckpointKind.file, 30_000, true],
    [CheckpointKind.member, 130_000, true],
    [CheckpointKind.file, 220_000, true],
    [CheckpointKind.member, 320_000, true],
    [CheckpointKind.final, 400_000, false],
  ]);
});

Deno.test("zstd: a large file far behind the last frame does not make it a checkpoint, which nobody would take so late", () => {
  const blocks = (bytes: number) =>
    Array.from({ length: bytes / 100_000 }, (_, i) => [1, 100_000, Uint8Array.of(i)] as const);
  // Windows of 128 MiB: blocks are no places.
  const compressed = concat([handmadeFrame(blocks(600_000)), handmadeFrame(blocks(9_000_000), { after: [0x88] })]);
  const file = 600_000 + MAX_CHECKPOINT_LAG_BYTES + 500_000;
  let written = 0;
  const kinds: number[] = [];
  const sink: PlainSink = {
    fileStarts: [],
    nextStop: Infinity,
    write: (bytes) => {
      if (written < file && written + bytes.length >= file) sink.fileStarts.push(file);
      written += bytes.length;
    },
  };
  const scanner = zstd.scanner({
    strategy: "exact",
    spacingBytes: 2 * 1024 * 1024,
    sink,
    onCheckpoint: ({ kind, plainOffset }) => {
      kinds.push(kind);
      assert(written - plainOffset <= MAX_CHECKPOINT_LAG_BYTES, `${written - plainOffset} bytes late`);
    },
    onWarning: (message) => assert.fail(message),
  });
  scanner.push(compressed);
  scanner.finish();
  assert.deepEqual(kinds, [CheckpointKind.start, CheckpointKind.final]);
});

Deno.test("zstd: what cannot be is refused, with field and place", () => {
  const good = handmadeFrame([[1, 5, Uint8Array.of(1)]]);
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /magic.*byte 0.*end of the stream/],
    [Uint8Array.of(0x28, 0xb5), /magic.*end of the stream/],
    [concat([good, Uint8Array.of(1, 2, 3, 4)]), /magic at byte 10.*0x04030201/],
    [concat([good, Uint8Array.of(0)]), /end of the stream/],
    [good.subarray(0, good.length - 1), /block.*end of the stream within the frame at byte 0/],
    [handmadeFrame([[3, 5, new Uint8Array(5)]]), /block type/],
    [handmadeFrame([[0, 131_073, new Uint8Array(131_073)]]), /block size.*131073.*131072/],
    [handmadeFrame([[1, 1025, new Uint8Array(1)]], { after: [0x00] }), /block size.*1025.*1024/],
    [handmadeFrame([[2, 1, new Uint8Array(1)]]), /block/],
    [handmadeFrame([[1, 5, new Uint8Array(1)]], { descriptor: 0x08 }), /reserved/],
    [handmadeFrame([[1, 5, new Uint8Array(1)]], { after: [0xf8] }), /window of .*clip goes to 128\.0 MiB/],
    [handmadeFrame([[1, 5, new Uint8Array(1)]], { descriptor: 0x01, after: [0x58, 9] }), /dictionary/],
    [handmadeFrame([[1, 5, new Uint8Array(1)]], { descriptor: 0x20, after: [4] }), /block size|content size/],
    [handmadeFrame([[1, 5, new Uint8Array(1)]], { descriptor: 0x20, after: [6] }), /content size.*5 bytes.*6/],
    [concat([handmadeFrame([[1, 5, new Uint8Array(1)]], { descriptor: 0x04 }), new Uint8Array(4)]), /checksum/],
    [skippable(new Uint8Array(9)).subarray(0, 12), /skippable/],
  ];
  for (const [bytes, expected] of cases) assert.match(refusal(bytes), expected);
});

Deno.test({
  name: "zstd: streams of the zstd and pzstd programs",
  ignore: !isInstalled("zstd") || !isInstalled("pzstd"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const plain = sections(12_000_000, new SeededRandom(5));
      await Deno.writeFile(`${folder}/plain`, plain);
      const ways = [
        "zstd -1",
        "zstd -19",
        "zstd --long=27 -5",

        "zstd --rsyncable -T2 -3",
        "pzstd -p 2 -3",
      ];
      for (const way of ways) {
        const [program, ...args] = way.split(" ");
        const { success } = await new Deno.Command(program!, {
          args: [...args, "-q", "-f", "-o", `${folder}/out`, `${folder}/plain`],
        })
          .output();
        assert(success, way);
        const compressed = await Deno.readFile(`${folder}/out`);
        const result = scan(zstd, new SeededRandom(6).split(compressed, 30_000), { spacingBytes: 1 << 20 });
        assert(equalBytes(result.plain, plain), way);
        // Windows that are referred to megabytes back, with everything else in them poisoned.
        assert(result.checkpoints.length > 2 || way.includes("--long"), `${way}: checkpoints between blocks`);
        checkDecodes(zstd, { plain, compressed }, result.checkpoints, {
          random: new SeededRandom(7),
          inflate: undefined,
        });
        if (program === "pzstd") assert(result.checkpoints.some(({ kind }) => kind === CheckpointKind.member));
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "zstd: a window that is referred to at its full length, many slides on",
  ignore: !hasLibzstd,
  fn: () => {
    const random = new SeededRandom(9);
    const block = random.bytes(1 << 19);
    const plain = concat(Array.from({ length: 12 }, (_, i) => concat([block, random.bytes(700 + i)])));
    const compressed = frame(plain, { 100: 9, 101: 20 });
    assert(compressed.length < plain.length / 6);
    assert(equalBytes(scan(zstd, random.split(compressed, 9000), { spacingBytes: 1 << 20 }).plain, plain));
  },
});
