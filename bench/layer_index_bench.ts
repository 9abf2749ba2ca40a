/**
 * A layer of 200,000 small files on its way from the Worker that scanned it: as a layer index, and as the structured
 * clone that it took the place of.
 */
import { type Digest, SILENT } from "../src/base/mod.ts";
import { decodeLayerIndex, encodeLayerIndex, IndexCache, LayerScanner } from "../src/indexer/mod.ts";
import { decodeLayerBody, encodeLayerBody } from "../src/indexer/layer_index.ts";
import { layerIndexKey } from "../src/indexer/index_cache.ts";
import { SMALL_SPANS, TAR_LAYER } from "../tests/indexer/memory_image.ts";
import { SeededRandom } from "../tests/codec/seeded_random.ts";
import { tarEntry } from "../tests/tar/tar_builder.ts";

const FILES = 200_000;

/** Paths like those of node_modules, in order. */
function paths(random: SeededRandom): string[] {
  const word = (words: readonly string[]) => words[random.below(words.length)]!;
  return Array.from({ length: FILES }, (_, i) => {
    const folder = `usr/lib/node_modules/package-${Math.floor(i / 40)}/${word(["dist", "src", "lib"])}`;
    const number = random.below(100_000).toString(36);
    return `${folder}/${word(["index", "utils", "types"])}-${number}.${word(["js", "d.ts", "map"])}`;
  }).sort();
}

function scanLayer() {
  const random = new SeededRandom(1);
  const scanner = new LayerScanner(TAR_LAYER, SMALL_SPANS);
  for (const path of paths(random)) {
    const mtime = 1_700_000_000 + 1000 * random.below(3);
    scanner.push(tarEntry({ path, data: new Uint8Array(random.below(3000)), mtime }));
  }
  scanner.push(new Uint8Array(1024));
  return scanner.finish();
}

const scan = scanLayer();
const cloneable = { ...scan, entries: [...scan.entries] };
const key = layerIndexKey({ digest: `sha256:${"0".repeat(64)}` as Digest }, SMALL_SPANS);
const index = encodeLayerIndex(scan, key);
// deno-lint-ignore no-console -- a bench tells its figures
console.log(`${FILES} files, ${scan.plainBytes} bytes of tar: a layer index of ${index.length} bytes`);
const { port1, port2 } = new MessageChannel();
port1.start();

function send(message: unknown, transfer: Transferable[] = []): Promise<unknown> {
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    port2.postMessage(message, transfer);
  });
}

Deno.bench({
  name: "a structured clone, sent",
  group: "both threads together",
  baseline: true,
  n: 10,
  fn: async () => {
    await send(cloneable);
  },
});

Deno.bench({
  name: "the body of a layer index: encoded, sent, decoded",
  group: "both threads together",
  n: 10,
  fn: async () => {
    const body = encodeLayerBody(scan, key);
    decodeLayerBody(await send(body, [body.buffer]) as Uint8Array, "bench");
  },
});

Deno.bench({ name: "encode", group: "a layer index", n: 10, fn: () => void encodeLayerIndex(scan, key) });
Deno.bench({
  name: "decode",
  group: "a layer index",
  n: 10,
  fn: async () => void await decodeLayerIndex(index, "bench"),
});

Deno.bench({
  name: "read from the index cache",
  group: "a layer index",
  n: 10,
  fn: async (timer) => {
    const folder = await Deno.makeTempDir();
    try {
      const { plainBytes: sizeBytes, diffId } = scan;
      const layer = { digest: diffId, diffId, sizeBytes, mediaType: TAR_LAYER };
      const cache = new IndexCache(folder, { maxBytes: 2 ** 30, log: SILENT });
      await cache.write(layer, SMALL_SPANS, scan, encodeLayerIndex(scan, layerIndexKey(layer, SMALL_SPANS)));
      timer.start();
      if (await cache.read(layer, SMALL_SPANS) === undefined) throw new Error("nothing there");
      timer.end();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
