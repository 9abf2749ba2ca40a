/**
 * One tree in every format of layers reads the same at random ranges of its files: from the registry's bytes, decoded by
 * Workers. CLIP_FUZZ=n makes 10,000 × n reads of each format; CLIP_TEST_SEED=s repeats a run.
 */
import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/mod.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";
import { openSample, readFile, withCacheFolder } from "../content/sample.ts";
import { e2eTest } from "../e2e/workbench.ts";
import { archiveOf } from "../indexer/memory_image.ts";
import { makeFormatTree, SMALL_FILES } from "./format_tree.ts";
import { FORMAT_NEEDS, LAYER_FORMATS, type LayerFormat } from "./layer_formats.ts";

const FUZZ = Deno.env.get("CLIP_FUZZ");
const READS = FUZZ === undefined ? 500 : 10_000 * Number(FUZZ);
/** So little that most reads decode again. */
const MEMORY_BYTES = 512 * 1024;

const TREE = makeFormatTree();

async function readsAsPlain({ suffix, compress }: LayerFormat): Promise<void> {
  const blob = await compress(TREE.plain, TREE.entries);
  const layer = { plain: TREE.plain, blob, mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}` };
  const options = { strategy: "exact", spacingBytes: 128 * 1024, fileCheckpointBytes: 64 * 1024 } as const;
  const sample = await archiveOf([layer], options);
  const seed = testSeed();
  const random = new SeededRandom(seed);
  const paths = [...TREE.files.keys()];
  await withCacheFolder(async (_, cache) => {
    for (const kept of [{ cache }, { cache: undefined, memoryBytes: MEMORY_BYTES }]) {
      const content = openSample(sample, { decodeWorkers: 2, ...kept });
      try {
        for (let round = 0; round < READS / 2; round++) {
          // Half of them in the few large files, where the formats differ.
          const path = round % 2 === 0
            ? paths[SMALL_FILES + random.below(paths.length - SMALL_FILES)]!
            : paths[random.below(SMALL_FILES)]!;
          const expected = TREE.files.get(path)!;
          const offset = random.below(expected.length + 1);
          const length = random.below(round % 8 === 0 ? 300_000 : 5000);
          const actual = await readFile(content, path, offset, length);
          const what = `${path} at ${offset}, ${length} bytes, CLIP_TEST_SEED=${seed}`;
          assert(equalBytes(actual, expected.subarray(offset, offset + length)), what);
        }
      } finally {
        content.close();
      }
    }
  });
}

for (const format of LAYER_FORMATS) {
  e2eTest(`layer formats: ${format.name}: ${READS} random ranges`, FORMAT_NEEDS, () => readsAsPlain(format));
}
