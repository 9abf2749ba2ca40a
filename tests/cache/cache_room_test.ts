/** What keeps a cache within its limits: eviction of layers, punching of spans, and doing without. */
import assert from "node:assert/strict";
import { createLogger, type Digest, MIB, sha256 } from "../../src/base/mod.ts";
import {
  type CacheLimits,
  defaultLimits,
  diskSpanCache,
  type LayerCache,
  type LayerKey,
  listLayers,
  removeLayer,
} from "../../src/cache/mod.ts";
import { startChild } from "./child_process.ts";
import { layerUse } from "./layer_use.ts";

const SPAN_BYTES = 256 * 1024;
const SPANS = 16;
const LAYER_BYTES = SPANS * SPAN_BYTES;
/** What directory entries, maps and shared blocks may add. */
const SLACK_BYTES = 256 * 1024;

function keyOf(name: string, fields: Partial<LayerKey> = {}): LayerKey {
  const diffId: Digest = sha256(new TextEncoder().encode(name));
  return { diffId, plainBytes: LAYER_BYTES, spans: SPANS, partition: "0011223344556677", ...fields };
}

function bytesOf(name: string, span: number): Uint8Array {
  return new Uint8Array(SPAN_BYTES).fill(name.charCodeAt(0) + span * 3);
}

function writeSpan(layer: LayerCache, name: string, span: number): void {
  layer.write(span, span * SPAN_BYTES, bytesOf(name, span));
}

/** The spans that are present; fails if one of them is not what was written. */
function present(layer: LayerCache, name: string): number[] {
  const spans: number[] = [];
  for (let span = 0; span < SPANS; span++) {
    if (!layer.has(span)) continue;
    const target = new Uint8Array(SPAN_BYTES);
    assert.equal(layer.read(span * SPAN_BYTES, target), true);
    assert.deepEqual(target, bytesOf(name, span), `${name} ${span}`);
    spans.push(span);
  }
  return spans;
}

function usedBytes(folder: string): number {
  return listLayers(folder).reduce((sum, layer) => sum + layer.allocatedBytes, 0);
}

interface Room {
  readonly folder: string;
  readonly lines: string[];
  /** Another process's cache, as far as it can be told apart. */
  open(limits?: Partial<CacheLimits>): ReturnType<typeof diskSpanCache>;
}

/** @param needsRoot Elsewhere it is skipped, saying so; with CI=true in the environment it fails instead. */
function roomTest(name: string, body: (room: Room) => void | Promise<void>, needsRoot = false): void {
  const ignore = needsRoot && Deno.uid() !== 0 && Deno.env.get("CI") !== "true";
  // deno-lint-ignore no-console -- a skip says why
  if (ignore) console.log(`skip: ${name}: not root`);
  Deno.test({
    name,
    ignore,
    async fn() {
      const folder = await Deno.makeTempDir({ prefix: "clip-cache-" });
      const lines: string[] = [];
      const log = createLogger({ level: "info", write: (line) => lines.push(line) });
      try {
        await body({
          folder,
          lines,
          open: (limits) =>
            diskSpanCache(folder, { limits: { maxBytes: 3 * LAYER_BYTES, reserveBytes: 0, ...limits }, log }),
        });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

function names(folder: string): string[] {
  return [..."abcdefgh"].filter((name) => listLayers(folder).some(({ diffId }) => diffId === keyOf(name).diffId));
}

/** Writes the whole layer, and closes it a moment after all that was closed before. */
async function fill(cache: ReturnType<typeof diskSpanCache>, name: string): Promise<void> {
  const layer = cache.openLayer(keyOf(name));
  for (let span = 0; span < SPANS; span++) writeSpan(layer, name, span);
  layer.close();
  await new Promise((resolve) => setTimeout(resolve, 5));
}

roomTest("the layers used longest ago make room for new ones", async ({ folder, open, lines }) => {
  const cache = open();
  for (const name of "abc") await fill(cache, name);
  assert.ok(usedBytes(folder) <= 3 * LAYER_BYTES);
  cache.openLayer(keyOf("a"), layerUse({ spans: SPANS, spanBytes: SPAN_BYTES })).close();
  cache.openLayer(keyOf("b")).close(); // no use
  await fill(cache, "d");
  assert.ok(usedBytes(folder) <= 3 * LAYER_BYTES);
  assert.ok(names(folder).includes("a"), "used again since");
  assert.ok(!names(folder).includes("b"));
  assert.ok(names(folder).includes("d"));
  const again = cache.openLayer(keyOf("d"));
  assert.equal(present(again, "d").length, SPANS);
  again.close();
  assert.match(lines.join(""), /evicted a layer from the cache/);
});

roomTest("a layer that somebody has open stays, whoever needs room", async ({ folder, open }) => {
  const held = open().openLayer(keyOf("a"));
  for (let span = 0; span < SPANS; span++) writeSpan(held, "a", span);
  for (const name of "bcdef") await fill(open(), name);
  assert.equal(present(held, "a").length, SPANS);
  assert.ok(usedBytes(folder) <= 3 * LAYER_BYTES + SLACK_BYTES);
  held.close();
  for (const name of "ghbc") await fill(open(), name);
  assert.ok(!names(folder).includes("a"));
});

roomTest(
  "a layer larger than the limit keeps what is touched, and its file stays within the limit",
  ({ folder, open }) => {
    const use = layerUse({ spans: SPANS, spanBytes: SPAN_BYTES });
    const layer = open({ maxBytes: LAYER_BYTES / 2 }).openLayer(keyOf("a"), use);
    for (let round = 0; round < 3; round++) {
      for (let span = 0; span < SPANS; span++) {
        if (!layer.has(span)) writeSpan(layer, "a", span);
        assert.ok(layer.has(span), "what was written is there");
        use.touched[2] = 1;
        assert.ok(usedBytes(folder) <= LAYER_BYTES / 2 + SLACK_BYTES, `${usedBytes(folder)}`);
      }
      const spans = present(layer, "a");
      assert.ok(spans.length >= SPANS / 4 && spans.length <= SPANS / 2, String(spans));
    }
    for (let span = 0; span < SPANS; span++) assert.ok(layer.has(span) || use.retired.has(span), `${span}`);
    layer.close();
  },
);

roomTest(
  "who may not retire spans loses none, and does without the cache until there is room",
  async ({ folder, open, lines }) => {
    const use = layerUse({ spans: SPANS, spanBytes: SPAN_BYTES });
    use.mayRetire = false;
    const layer = open({ maxBytes: LAYER_BYTES / 2 }).openLayer(keyOf("a"), use);
    let written = 0;
    assert.throws(() => {
      for (; written < SPANS; written++) writeSpan(layer, "a", written);
    }, /the cache is full/);
    assert.equal(present(layer, "a").length, written);
    assert.throws(() => writeSpan(layer, "a", SPANS - 1), {
      name: "ClipError",
      code: "limit",
      message: /the cache is full/,
    });
    assert.equal(layer.admit(SPANS - 1, SPANS), false);
    assert.equal(lines.filter((line) => line.includes("the cache is full")).length, 1, "told once");
    assert.ok(usedBytes(folder) <= LAYER_BYTES / 2 + SLACK_BYTES);
    use.mayRetire = true;
    await new Promise((resolve) => setTimeout(resolve, 1100));
    writeSpan(layer, "a", SPANS - 1);
    assert.ok(present(layer, "a").includes(SPANS - 1));
    layer.close();
  },
);

roomTest("spans of a layer that others use as well are not punched", ({ open }) => {
  const limits = { maxBytes: LAYER_BYTES / 2 };
  const layer = open(limits).openLayer(keyOf("a"), layerUse({ spans: SPANS, spanBytes: SPAN_BYTES }));
  const other = open().openLayer(keyOf("a"));
  let written = 0;
  assert.throws(() => {
    for (; written < SPANS; written++) writeSpan(layer, "a", written);
  }, /the cache is full/);
  assert.equal(present(other, "a").length, written);
  other.close();
  layer.close();
});

roomTest(
  "spans being written by other threads are not punched; what only other maps know of is",
  ({ folder, open }) => {
    const coarse = open().openLayer(keyOf("a", { partition: "8899aabbccddeeff", spans: 1 }));
    coarse.write(0, 0, new Uint8Array(LAYER_BYTES).fill(9));
    coarse.close();
    const use = layerUse({ spans: SPANS, spanBytes: SPAN_BYTES });
    const layer = open({ maxBytes: LAYER_BYTES + LAYER_BYTES / 4 }).openLayer(keyOf("a"), use);
    const cache = open({ maxBytes: LAYER_BYTES + LAYER_BYTES / 4 });
    assert.equal(layer.admit(5, 6), true);
    using file = Deno.openSync(layer.openPath!, { write: true });
    file.seekSync(5 * SPAN_BYTES, Deno.SeekMode.Start);
    file.writeSync(bytesOf("a", 5));
    // Room for another layer comes out of what no map of this process knows of.
    const second = cache.openLayer(keyOf("b"));
    assert.throws(() => {
      for (let span = 0; span < SPANS; span++) writeSpan(second, "b", span);
    }, /full/);
    for (let span = 0; span < 8; span++) if (span !== 5) writeSpan(layer, "a", span);
    assert.equal(layer.note(5, 6), true);
    assert.ok(present(layer, "a").includes(5));
    assert.deepEqual(
      listLayers(folder).find(({ diffId }) => diffId === keyOf("a").diffId)!.maps.map((map) => map.partition),
      [
        "0011223344556677",
      ],
    );
    assert.ok(usedBytes(folder) <= LAYER_BYTES * 1.25 + SLACK_BYTES);
    layer.close();
    second.close();
  },
);

roomTest("what is not the cache's own is never touched", async ({ folder, open }) => {
  const name = `sha256_${"0".repeat(64)}`;
  Deno.mkdirSync(`${folder}/logs`);
  Deno.mkdirSync(`${folder}/${name.replaceAll("0", "1")}`);
  Deno.writeFileSync(`${folder}/logs/${name}`, new Uint8Array(LAYER_BYTES));
  Deno.writeFileSync(`${folder}/other`, new Uint8Array(LAYER_BYTES * 4));
  Deno.writeFileSync(`${folder}/${name}.tmp`, new Uint8Array(LAYER_BYTES));
  Deno.symlinkSync(`${folder}/other`, `${folder}/${name}`);
  Deno.symlinkSync(`${folder}/other`, `${folder}/${name}.0011223344556677.map`);
  const before = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
  assert.equal(usedBytes(folder), 0);
  for (const layer of "abcde") await fill(open(), layer);
  assert.ok(usedBytes(folder) <= 3 * LAYER_BYTES);
  const after = [...Deno.readDirSync(folder)].map((entry) => entry.name);
  for (const kept of before) assert.ok(after.includes(kept), kept);
  assert.equal(Deno.statSync(`${folder}/other`).size, LAYER_BYTES * 4);
  for (const layer of listLayers(folder)) assert.equal(removeLayer(layer), true);
  assert.deepEqual(
    [...Deno.readDirSync(folder)].map((entry) => entry.name).sort(),
    [...before, "eviction.lock"].sort(),
  );
});

roomTest("a layer is removed when nobody has it open, or by force; who has it open keeps his", ({ folder, open }) => {
  const layer = open().openLayer(keyOf("a"));
  writeSpan(layer, "a", 1);
  assert.equal(removeLayer(listLayers(folder)[0]!), false);
  assert.deepEqual(present(layer, "a"), [1]);
  assert.equal(removeLayer(listLayers(folder)[0]!, { force: true }), true);
  assert.deepEqual(listLayers(folder), []);
  const again = open().openLayer(keyOf("a"));
  assert.deepEqual(present(again, "a"), []);
  writeSpan(again, "a", 2);
  assert.deepEqual(present(layer, "a"), [1]);
  writeSpan(layer, "a", 3);
  assert.deepEqual(present(again, "a"), [2]);
  layer.close();
  again.close();
  assert.equal(removeLayer(listLayers(folder)[0]!), true);
});

Deno.test("the default limits are shares of the disk, with upper bounds", async () => {
  const folder = await Deno.makeTempDir({ prefix: "clip-cache-" });
  try {
    const { maxBytes, reserveBytes } = defaultLimits(`${folder}/not/made/yet`);
    assert.ok(maxBytes > 0 && maxBytes <= 10 * 1024 * MIB);
    assert.ok(reserveBytes > 0 && reserveBytes <= 1024 * MIB);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

roomTest(
  "processes that evict at once stay near the limit, and none reads what is not the layer's",
  async ({ folder }) => {
    const code = `
    const [folder, keys, maxBytes, spanBytes, seed] = JSON.parse(Deno.args[0]);
    const cache = diskSpanCache(folder, { limits: { maxBytes, reserveBytes: 0 } });
    let wrong = 0, written = 0, full = 0, random = seed;
    for (let round = 0; round < 30; round++) {
      random = (random * 1103515245 + 12345) % 2147483648;
      const number = (random >> 8) % keys.length;
      const layer = cache.openLayer(keys[number]);
      const target = new Uint8Array(spanBytes);
      for (let span = 0; span < keys[number].spans; span++) {
        const byte = number * 16 + span + 1;
        if (layer.has(span)) {
          if (!layer.read(span * spanBytes, target) || target.some((value) => value !== byte)) wrong++;
        } else {
          try {
            layer.write(span, span * spanBytes, target.fill(byte));
            written++;
          } catch { full++; }
        }
      }
      layer.close();
    }
    console.log(wrong, written > 0);
  `;
    const spanBytes = 64 * 1024;
    const keys = [..."abcdefgh"].map((name) => keyOf(name, { plainBytes: spanBytes * 16 }));
    const maxBytes = 4 * spanBytes * 16;
    const seeds = [1, 2, 3];
    const children = await Promise.all(
      seeds.map((seed) => startChild(folder, code, [JSON.stringify([folder, keys, maxBytes, spanBytes, seed])])),
    );
    try {
      for (const child of children) assert.equal(await child.line(), "0 true");
    } finally {
      for (const child of children) await child.kill();
    }
    assert.ok(
      usedBytes(folder) <= maxBytes + seeds.length * (maxBytes / 16 + spanBytes) + SLACK_BYTES,
      `${usedBytes(folder)}`,
    );
  },
);

roomTest("a disk that is full is room made on, or told of; later it is tried again", async ({ folder, lines }) => {
  const log = createLogger({ level: "info", write: (line) => lines.push(line) });
  const disk = `${folder}/disk`;
  Deno.mkdirSync(disk);
  const mounted = await new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", "size=3m", "tmpfs", disk] }).output();
  assert.ok(mounted.success, new TextDecoder().decode(mounted.stderr));
  try {
    const cache = diskSpanCache(disk, { limits: { maxBytes: 1024 * MIB, reserveBytes: 0 }, log });
    const use = layerUse({ spans: SPANS, spanBytes: SPAN_BYTES });
    const layer = cache.openLayer(keyOf("a"), use);
    using other = Deno.openSync(`${disk}/other`, { write: true, create: true });
    other.writeSync(new Uint8Array(4 * SPAN_BYTES));
    for (let span = 0; span < SPANS; span++) {
      writeSpan(layer, "a", span);
      assert.ok(present(layer, "a").includes(span));
    }
    // Room that the limits know nothing of goes to somebody else, between looking and writing.
    assert.throws(() => {
      for (;;) other.writeSync(new Uint8Array(4096));
    });
    const absent = () => [...use.touched.keys()].find((span) => !layer.has(span))!;
    writeSpan(layer, "a", absent());
    use.mayRetire = false;
    assert.throws(() => {
      for (;;) writeSpan(layer, "a", absent());
    }, { name: "ClipError", code: "limit" });
    present(layer, "a");
    assert.equal(lines.filter((line) => line.includes("the cache is full")).length, 1, "told once");
    other.truncateSync(0);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    for (let count = 0; count < 3; count++) writeSpan(layer, "a", absent());
    present(layer, "a");
    layer.close();
  } finally {
    await new Deno.Command("umount", { args: ["-l", disk] }).output();
  }
}, true);
