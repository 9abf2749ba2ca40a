/**
 * One tree in every format of layers reads the same at random ranges of its files: from the registry's bytes, decoded by
 * Workers. CLIP_FUZZ=n makes 10,000 × n reads of each format; CLIP_TEST_SEED=s repeats a run.
 */
import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/mod.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";
import { openSample, readFile, withCacheFolder } from "../content/sample.ts";
import { e2eTest } from "../e2e/workbench.ts";
import { archiveOf, programLike } from "../indexer/memory_image.ts";
import { endOfArchive, join } from "../tar/tar_builder.ts";
import { directory, file } from "./entries.ts";
import { FORMAT_NEEDS, LAYER_FORMATS, type LayerFormat } from "./layer_formats.ts";

const FUZZ = Deno.env.get("CLIP_FUZZ");
const READS = FUZZ === undefined ? 500 : 10_000 * Number(FUZZ);
/** So little that most reads decode again. */
const MEMORY_BYTES = 512 * 1024;

/** Files by path, and the tar of them. */
function makeTree(): { files: Map<string, Uint8Array>; plain: Uint8Array; entries: number[] } {
  const random = new SeededRandom(41);
  const files = new Map<string, Uint8Array>();
  for (let i = 0; i < 40; i++) files.set(`/small/${i}`, programLike(random.below(6000), random));
  files.set("/program", programLike(1_500_000, random));
  files.set("/noise", random.bytes(300_000));
  files.set("/zeros", new Uint8Array(1_000_000));
  files.set("/text", new TextEncoder().encode(Array.from({ length: 60_000 }, (_, i) => `line ${i * i}\n`).join("")));
  files.set("/stargz.index.json", new TextEncoder().encode("{}"));
  const parts = [directory("small/"), ...[...files].map(([path, data]) => file(path.slice(1), data)), endOfArchive()];
  const entries: number[] = [];
  parts.reduce((at, part) => (entries.push(at), at + part.length), 0);
  return { files, plain: join(...parts), entries };
}

const TREE = makeTree();

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
          const path = round % 2 === 0 ? paths[40 + random.below(paths.length - 40)]! : paths[random.below(40)]!;
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
