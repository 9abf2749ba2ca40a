/** An image whose layers are of every format, mounted: reads at random ranges are those of the plain tree. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";
import { type FormatTree, makeFormatTree, SMALL_FILES } from "../fidelity/format_tree.ts";
import { FORMAT_NEEDS, LAYER_FORMATS } from "../fidelity/layer_formats.ts";
import { ARCHITECTURE, writeImage, writeTarLayer } from "./oci_layout.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

/** Of each format; CLIP_FUZZ=n makes 10,000 × n. */
const READS = Deno.env.get("CLIP_FUZZ") === undefined ? 100 : 10_000 * Number(Deno.env.get("CLIP_FUZZ"));

async function compareReads(directory: string, { files }: FormatTree, random: SeededRandom): Promise<void> {
  const paths = [...files.keys()];
  for (let read = 0; read < READS; read++) {
    const isSmall = read % 2 === 1;
    const path = paths[isSmall ? random.below(SMALL_FILES) : SMALL_FILES + random.below(paths.length - SMALL_FILES)]!;
    const expected = files.get(path)!;
    const offset = random.below(expected.length + 1);
    const bytes = new Uint8Array(random.below(read % 8 === 0 ? 300_000 : 5000));
    const file = await open(`${directory}${path}`);
    try {
      let filled = 0;
      for (let got = -1; got !== 0 && filled < bytes.length; filled += got) {
        got = (await file.read(bytes, filled, bytes.length - filled, offset + filled)).bytesRead;
      }
      assert.equal(filled, Math.min(bytes.length, expected.length - offset), path);
      assert.equal(Buffer.compare(bytes.subarray(0, filled), expected.subarray(offset, offset + filled)), 0, path);
    } finally {
      await file.close();
    }
  }
}

async function mountFormats(bench: Workbench): Promise<{ directory: string; trees: FormatTree[] }> {
  const trees = LAYER_FORMATS.map((_, number) => makeFormatTree(`/${number}`));
  const layers = [];
  for (const [number, { suffix, compress }] of LAYER_FORMATS.entries()) {
    const { plain, entries } = trees[number]!;
    const mediaType = `application/vnd.oci.image.layer.v1.tar${suffix}`;
    layers.push(writeTarLayer(bench.path("layout"), plain, { blob: await compress(plain, entries), mediaType }));
  }
  writeImage(bench.path("layout"), layers, ARCHITECTURE);
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "formats.clip"]);
  const { directory } = await bench.mount(bench.path("formats.clip"), "mnt");
  return { directory, trees };
}

e2eTest(`an image of ${LAYER_FORMATS.length} layer formats: ${READS} random reads of each`, [
  "/dev/fuse",
  ...FORMAT_NEEDS,
], async (bench) => {
  const { directory, trees } = await mountFormats(bench);
  const seed = testSeed();
  const random = new SeededRandom(seed);
  for (const [number, tree] of trees.entries()) {
    await compareReads(directory, tree, random).catch((error) => {
      throw new Error(`${LAYER_FORMATS[number]!.name}, CLIP_TEST_SEED=${seed}`, { cause: error });
    });
  }
});
