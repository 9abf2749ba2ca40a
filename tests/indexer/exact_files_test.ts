/** With `exact`, reading a large file from its start decodes nothing before it, whoever compressed the layer. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { MIB } from "../../src/base/mod.ts";
import { LayerScanner } from "../../src/indexer/mod.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import { isInstalled, mustRun } from "../e2e/programs.ts";
import { join, tar, tarEntry } from "../tar/tar_builder.ts";
import { GZIP_LAYER } from "./memory_image.ts";

const LARGE_BYTES = 512 * 1024;
const SPACING_BYTES = 2 * MIB;

/** Files of all lengths, of bytes that compress about as binaries do. */
function layer(): Uint8Array {
  const random = new SeededRandom(3);
  const words = Array.from({ length: 300 }, () => random.bytes(3 + random.below(12)));
  const entries: Uint8Array[] = [];
  for (let i = 0; i < 120; i++) {
    const length = i % 6 === 0 ? LARGE_BYTES + random.below(900_000) : random.below(30_000);
    const parts: Uint8Array[] = [];
    for (let made = 0; made < length;) {
      const part = random.below(3) === 0 ? random.bytes(20) : words[random.below(words.length)]!;
      parts.push(part);
      made += part.length;
    }
    entries.push(tarEntry({ path: `file${i}`, data: join(...parts).subarray(0, length) }));
  }
  return tar(...entries);
}

const PLAIN = layer();

/** Somewhere in files, before them and behind them; two of them near each other, and one where a large file begins. */
const STARTS = [100_000, 1_000_001, 1_000_900, 3_333_333, 5_000_000, largeFileOffset(9), PLAIN.length - 100_000];

/** Where the data of `file{6 × number}` begin. */
function largeFileOffset(number: number): number {
  const scanner = new LayerScanner("", { strategy: "exact", spacingBytes: SPACING_BYTES, fileCheckpointBytes: null });
  scanner.push(PLAIN);
  return [...scanner.finish().entries].find(({ path }) => path === `file${6 * number}`)!.dataPlainOffset;
}

function checkScan(compressed: Uint8Array, starts: readonly number[] = []): void {
  const options = { strategy: "exact", spacingBytes: SPACING_BYTES, fileCheckpointBytes: LARGE_BYTES } as const;
  const scanner = new LayerScanner(GZIP_LAYER, options, { starts });
  for (let at = 0; at < compressed.length; at += 300_000) scanner.push(compressed.subarray(at, at + 300_000));
  const { entries, checkpoints, ...rest } = scanner.finish();
  const spans = [...rest.spans];
  for (const start of starts) {
    const span = spans.find(({ plainOffset }) => plainOffset === start);
    assert.equal(span && checkpoints[span.checkpoint]!.plainOffset, start, `a checkpoint at ${start}`);
  }
  const large = [...entries].filter(({ sizeBytes }) => sizeBytes >= LARGE_BYTES);
  assert.equal(large.length, 20);
  for (const { path, dataPlainOffset } of large) {
    const span = spans.find(({ plainOffset }) => plainOffset === dataPlainOffset);
    assert(span !== undefined, `a span begins with ${path}`);
    assert.equal(checkpoints[span.checkpoint]!.plainOffset, dataPlainOffset, `a checkpoint at ${path}`);
  }
  for (let i = 1; i < checkpoints.length; i++) {
    const distance = checkpoints[i]!.plainOffset - checkpoints[i - 1]!.plainOffset;
    assert(distance <= 1.25 * SPACING_BYTES + 300, `${distance} bytes between checkpoints`);
  }
}

Deno.test("a checkpoint at the first byte of every large file: zlib", () => checkScan(gzipSync(PLAIN)));

Deno.test("a checkpoint at every place that is asked for besides", () => checkScan(gzipSync(PLAIN), STARTS));

for (const command of [["igzip", "-0"], ["igzip", "-1"], ["pigz", "-9"], ["gzip", "-1"], ["libdeflate-gzip", "-9"]]) {
  Deno.test({
    name: `a checkpoint at the first byte of every large file: ${command.join(" ")}`,
    ignore: !isInstalled(command[0]!),
    async fn() {
      const folder = await Deno.makeTempDir({ prefix: "clip-exact-" });
      try {
        await Deno.writeFile(`${folder}/layer.tar`, PLAIN);
        await mustRun([...command, "-k", `${folder}/layer.tar`]);
        checkScan(await Deno.readFile(`${folder}/layer.tar.gz`));
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
