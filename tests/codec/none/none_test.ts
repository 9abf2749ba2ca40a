import assert from "node:assert/strict";
import { CheckpointKind, codecByName, MAX_CHECKPOINT_LAG_BYTES } from "../../../src/codec/mod.ts";
import { codecContract, scan } from "../codec_contract.ts";
import { SeededRandom } from "../seeded_random.ts";

const none = codecByName("none");

codecContract(none, function* () {
  const random = new SeededRandom(1);
  for (const length of [0, 1, 4999, 5000, 5001, 200_000]) {
    const plain = random.bytes(length);
    yield { name: `${length} bytes`, plain, compressed: plain };
  }
});

Deno.test("none: checkpoints lie on the spacing and on file starts, and never at the end but for the final one", () => {
  const { checkpoints } = scan(none, [new Uint8Array(300)], { spacingBytes: 100, fileStarts: [0, 50, 50, 150, 300] });
  assert.deepEqual(checkpoints.map(({ kind, plainOffset }) => [kind, plainOffset]), [
    [CheckpointKind.start, 0],
    [CheckpointKind.file, 50],
    [CheckpointKind.interval, 150],
    [CheckpointKind.interval, 250],
    [CheckpointKind.final, 300],
  ]);
});

Deno.test("none: checkpoints are named soon, also in a blob pushed at once", () => {
  const bytes = new Uint8Array(3 * MAX_CHECKPOINT_LAG_BYTES);
  let written = 0;
  let count = 0;
  const scanner = none.scanner({
    strategy: "file",
    spacingBytes: 100_000,
    sink: { write: (piece) => written += piece.length, fileStarts: [], nextStop: Infinity },
    onCheckpoint: ({ plainOffset }) => {
      count++;
      assert(written - plainOffset <= MAX_CHECKPOINT_LAG_BYTES, `${written - plainOffset} bytes`);
    },
    onWarning: (message) => assert.fail(message),
  });
  scanner.push(bytes);
  scanner.finish();
  assert.equal(count, 1 + Math.floor(bytes.length / 100_000) + 1);
});
