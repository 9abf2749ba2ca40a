import assert from "node:assert/strict";
import { type Digest, sha256 } from "../../src/base/mod.ts";
import type { LayerCache, LayerKey, SpanCache } from "../../src/cache/mod.ts";

/** Opens the cache under test over the same storage each time; `close` takes the storage away. */
export interface CacheUnderTest {
  /** A further object over the storage, as another process would have it. */
  open(): SpanCache;
  /** Lets go of the storage. */
  close(): Promise<void>;
}

const SPAN_BYTES = 1000;
const SPANS = 5;

/** The plain bytes of span `span` of the layer called `name`. */
function spanBytes(name: string, span: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: SPAN_BYTES }, (_, at) => name.charCodeAt(0) * 7 + span * 13 + at);
}

/** The key of the layer called `name`. */
function layerKey(name: string, fields: Partial<LayerKey> = {}): LayerKey {
  const diffId: Digest = sha256(new TextEncoder().encode(name));
  return { diffId, plainBytes: SPAN_BYTES * SPANS, spans: SPANS, partition: "0011223344556677", ...fields };
}

/** Fails unless `layer` holds that span, and gives its bytes. */
function expectPresent(layer: LayerCache, name: string, span: number): void {
  assert.equal(layer.has(span), true);
  const target = new Uint8Array(SPAN_BYTES);
  assert.equal(layer.read(span * SPAN_BYTES, target), true);
  assert.deepEqual(target, spanBytes(name, span));
}

/** What every cache of spans has to do, whatever it keeps them in. `create` makes an empty one. */
export function cacheContract(name: string, create: () => Promise<CacheUnderTest>): void {
  /** A test with caches over one storage; layers opened through `open` are closed at its end. */
  const test = (what: string, body: (open: (key: LayerKey) => LayerCache) => void | Promise<void>) =>
    Deno.test(`${name}: ${what}`, async () => {
      const storage = await create();
      const layers: LayerCache[] = [];
      try {
        await body((key) => {
          const layer = storage.open().openLayer(key);
          layers.push(layer);
          return layer;
        });
      } finally {
        for (const layer of layers) layer.close();
        await storage.close();
      }
    });

  test("a fresh layer holds nothing", (open) => {
    const layer = open(layerKey("a"));
    for (let span = 0; span < SPANS; span++) assert.equal(layer.has(span), false);
  });

  test("what is written is there, and nothing else is", (open) => {
    const layer = open(layerKey("a"));
    for (const span of [3, 0, 4]) {
      layer.write(span, span * SPAN_BYTES, spanBytes("a", span));
      expectPresent(layer, "a", span);
    }
    for (const span of [0, 3, 4]) expectPresent(layer, "a", span);
    for (const span of [1, 2]) assert.equal(layer.has(span), false);
  });

  test("a span that the caller writes to the file itself is there once it is noted", async (open) => {
    const layer = open(layerKey("a"));
    if (layer.dataPath === undefined) return;
    assert.equal(layer.admit(2, 3), true);
    using file = await Deno.open(layer.dataPath, { write: true });
    await file.seek(2 * SPAN_BYTES, Deno.SeekMode.Start);
    assert.equal(await file.write(spanBytes("a", 2)), SPAN_BYTES);
    assert.equal(layer.has(2), false);
    assert.equal(layer.note(2, 3), true);
    expectPresent(layer, "a", 2);
    expectPresent(open(layerKey("a")), "a", 2);
    assert.equal(layer.has(3), false);
  });

  test("parts of spans, and reads across spans", (open) => {
    const layer = open(layerKey("a"));
    layer.write(1, SPAN_BYTES, spanBytes("a", 1));
    layer.write(2, 2 * SPAN_BYTES, spanBytes("a", 2));
    const target = new Uint8Array(60);
    assert.equal(layer.read(2 * SPAN_BYTES - 20, target), true);
    assert.deepEqual(target, new Uint8Array([...spanBytes("a", 1).slice(-20), ...spanBytes("a", 2).slice(0, 40)]));
    assert.equal(layer.read(SPAN_BYTES, new Uint8Array(0)), true);
  });

  test("bytes beyond the layer are not made up", (open) => {
    const layer = open(layerKey("a"));
    layer.write(4, 4 * SPAN_BYTES, spanBytes("a", 4));
    assert.equal(layer.read(4 * SPAN_BYTES + 1, new Uint8Array(SPAN_BYTES)), false);
    assert.equal(layer.read(5 * SPAN_BYTES, new Uint8Array(1)), false);
    assert.equal(layer.has(SPANS), false);
    assert.equal(layer.has(1_000_000), false);
  });

  test("the bytes written are copied, and a span can be written again", (open) => {
    const layer = open(layerKey("a"));
    const bytes = spanBytes("b", 2);
    layer.write(2, 2 * SPAN_BYTES, bytes);
    bytes.set(spanBytes("a", 2));
    layer.write(2, 2 * SPAN_BYTES, bytes);
    bytes.fill(0);
    expectPresent(layer, "a", 2);
  });

  test("a span that is forgotten is absent, and can be written again", (open) => {
    const layer = open(layerKey("a"));
    for (const span of [1, 2]) layer.write(span, span * SPAN_BYTES, spanBytes("a", span));
    layer.forget(1);
    assert.equal(layer.has(1), false);
    layer.forget(1);
    layer.forget(4);
    assert.equal(layer.has(4), false);
    expectPresent(layer, "a", 2);
    layer.write(1, SPAN_BYTES, spanBytes("a", 1));
    expectPresent(layer, "a", 1);
  });

  test("two objects over one storage see each other's spans at once", (open) => {
    const one = open(layerKey("a"));
    const two = open(layerKey("a"));
    one.write(0, 0, spanBytes("a", 0));
    expectPresent(two, "a", 0);
    two.write(3, 3 * SPAN_BYTES, spanBytes("a", 3));
    expectPresent(one, "a", 3);
    two.forget(0);
    assert.equal(one.has(0), false);
  });

  test("a claim excludes all other objects, until it is given back", (open) => {
    const one = open(layerKey("a"));
    const two = open(layerKey("a"));
    assert.equal(one.claim(1), true);
    assert.equal(one.claim(1), true, "who has it has it");
    assert.equal(two.claim(1), false);
    for (const span of [0, 2]) assert.equal(two.claim(span), true, "other spans are free");
    assert.equal(one.claim(2), false);
    two.release(1);
    assert.equal(two.claim(1), false, "only who has it can give it back");
    one.release(1);
    assert.equal(two.claim(1), true);
    one.release(4);
    assert.equal(one.claim(4), true);
  });

  test("a claim goes with the object that has it", (open) => {
    const one = open(layerKey("a"));
    const two = open(layerKey("a"));
    assert.equal(one.claim(0), true);
    assert.equal(two.claim(0), false);
    one.close();
    assert.equal(two.claim(0), true);
    assert.equal(one.claim(0), true, "nobody waits for a layer that is closed");
    one.release(0);
    assert.equal(open(layerKey("a")).claim(0), false, "a closed layer gives nothing back");
  });

  test("claims hinder nobody's reading and writing, and are of one partition of one layer", (open) => {
    const one = open(layerKey("a"));
    assert.equal(one.claim(3), true);
    assert.equal(open(layerKey("b")).claim(3), true);
    assert.equal(open(layerKey("a", { partition: "8899aabbccddeeff" })).claim(3), true);
    const two = open(layerKey("a"));
    two.write(3, 3 * SPAN_BYTES, spanBytes("a", 3));
    expectPresent(one, "a", 3);
    one.forget(3);
    assert.equal(two.has(3), false);
    assert.equal(two.claim(3), false);
  });

  test("what was not admitted, or has been released since, is not noted", (open) => {
    const layer = open(layerKey("a"));
    assert.equal(layer.note(1, 2), false);
    assert.equal(layer.admit(2, 3), true);
    layer.release(2);
    assert.equal(layer.note(2, 3), false);
    assert.deepEqual([1, 2].map((span) => layer.has(span)), [false, false]);
    // Two write it, one of them in vain.
    for (let writer = 0; writer < 2; writer++) assert.equal(layer.admit(4, 5), true);
    layer.release(4);
    assert.equal(layer.note(4, 5), true);
    assert.equal(layer.note(4, 5), false);
    layer.close();
    assert.equal(layer.admit(3, 4), false);
    assert.equal(layer.note(3, 4), false);
  });

  test("spans outlive the object that wrote them", (open) => {
    open(layerKey("a")).write(2, 2 * SPAN_BYTES, spanBytes("a", 2));
    expectPresent(open(layerKey("a")), "a", 2);
  });

  test("layers are apart", (open) => {
    const a = open(layerKey("a"));
    const b = open(layerKey("b"));
    a.write(1, SPAN_BYTES, spanBytes("a", 1));
    assert.equal(b.has(1), false);
    b.write(1, SPAN_BYTES, spanBytes("b", 1));
    expectPresent(a, "a", 1);
    expectPresent(b, "b", 1);
  });

  test("another partition of the layer shares its bytes, but does not know which are there", (open) => {
    const coarse = layerKey("a", { partition: "8899aabbccddeeff", spans: 1 });
    const one = open(layerKey("a"));
    const other = open(coarse);
    for (let span = 0; span < SPANS; span++) one.write(span, span * SPAN_BYTES, spanBytes("a", span));
    assert.equal(other.has(0), false);
    const all = new Uint8Array(SPANS * SPAN_BYTES);
    assert.equal(other.read(0, all), true);
    for (let span = 0; span < SPANS; span++) {
      assert.deepEqual(all.slice(span * SPAN_BYTES, (span + 1) * SPAN_BYTES), spanBytes("a", span));
    }
    other.write(0, 0, all);
    other.forget(0);
    for (let span = 0; span < SPANS; span++) expectPresent(one, "a", span);
  });

  test("a layer without bytes", (open) => {
    const layer = open(layerKey("empty", { plainBytes: 0, spans: 0 }));
    assert.equal(layer.has(0), false);
    assert.equal(layer.read(0, new Uint8Array(1)), false);
  });

  test("digests of either algorithm name layers", (open) => {
    const hex = sha256(new Uint8Array(0)).slice("sha256:".length);
    const key = layerKey("a", { diffId: `sha512:${hex}${hex}` as Digest });
    const layer = open(key);
    layer.write(0, 0, spanBytes("a", 0));
    expectPresent(open(key), "a", 0);
    assert.equal(open(layerKey("a", { diffId: `sha256:${hex}` as Digest })).has(0), false);
  });

  test("a layer that has been closed holds nothing and takes nothing, whatever else is opened then", (open) => {
    const closed = open(layerKey("a"));
    closed.write(0, 0, spanBytes("a", 0));
    closed.close();
    closed.close();
    const other = open(layerKey("b"));
    const again = open(layerKey("a"));
    assert.equal(closed.has(0), false);
    assert.equal(closed.read(0, new Uint8Array(SPAN_BYTES)), false);
    assert.throws(() => closed.write(1, SPAN_BYTES, spanBytes("a", 1)), { name: "ClipError", code: "io" });
    closed.forget(0);
    expectPresent(again, "a", 0);
    for (let span = 0; span < SPANS; span++) assert.equal(other.has(span), false);
    const target = new Uint8Array(SPAN_BYTES);
    if (other.read(SPAN_BYTES, target)) assert.deepEqual(target, new Uint8Array(SPAN_BYTES));
  });

  test("the file that readers may go to by themselves holds the bytes at their own offsets", async (open) => {
    const layer = open(layerKey("a"));
    layer.write(3, 3 * SPAN_BYTES, spanBytes("a", 3));
    if (layer.dataPath === undefined) return;
    const data = await Deno.readFile(layer.dataPath);
    assert.deepEqual(data.slice(3 * SPAN_BYTES, 4 * SPAN_BYTES), spanBytes("a", 3));
    const again = await Deno.readFile(layer.openPath!);
    assert.deepEqual(again, data);
  });
}
