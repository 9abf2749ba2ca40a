/** Layer indexes: what goes in comes out, and nothing else is ever believed. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { ClipError, CorruptError, type Digest } from "../../src/base/mod.ts";
import { packWindow, SpanList } from "../../src/archive/mod.ts";
import {
  decodeLayerIndex,
  encodeLayerIndex,
  EntryList,
  type LayerIndexKey,
  type LayerScan,
  LayerScanner,
} from "../../src/indexer/mod.ts";
import { ByteReader } from "../../src/indexer/byte_reader.ts";
import { ByteWriter } from "../../src/indexer/byte_writer.ts";
import { EntryListWriter, readEntries, writeEntries } from "../../src/indexer/entry_list.ts";
import { LAYER_INDEX_HEADER, LAYER_INDEX_HEADER_BYTES } from "../../src/indexer/layer_index.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";
import { paxHeader } from "../tar/tar_builder.ts";
import { file, symlink } from "./entries.ts";
import { anyEntries, anyKey, anyScan } from "./layer_scans.ts";
import { gzipLayer, programLike, SMALL_SPANS } from "./memory_image.ts";

const { test } = Deno;
const KEY: LayerIndexKey = { layerDigest: `sha256:${"1".repeat(64)}` as Digest, options: SMALL_SPANS, scanRevision: 1 };

/** A scan of a layer with something of everything. */
function realScan(): LayerScan {
  const random = new SeededRandom(5);
  const layer = gzipLayer(
    { path: "usr/", type: "5", mode: 0o755, mtime: 1_600_000_000 },
    { path: "usr/tool", data: programLike(700_000, random), uid: 7, gid: 8 },
    { path: "usr/lib", type: "2", linkName: "/lib" },
    { path: "usr/same", type: "1", linkName: "usr/tool" },
    paxHeader({ "SCHILY.xattr.user.a": "b", mtime: "-3.25" }),
    { path: "usr/tagged", data: "abc" },
    paxHeader({ "GNU.sparse.size": "9000", "GNU.sparse.map": "0,2,500,3", "GNU.sparse.name": "usr/sparse" }),
    { path: "x", data: "abcde" },
    { path: "usr/null", type: "3", major: 1, minor: 3 },
    { path: "usr/.wh.gone" },
    { path: "odd", type: "9" },
  );
  const scanner = new LayerScanner(layer.mediaType, SMALL_SPANS);
  scanner.push(layer.blob);
  return scanner.finish();
}

const WINDOW = { lengthBytes: 5, runs: Uint32Array.of(0, 5), bytes: new Uint8Array(5) };
const NO_HEADER = packWindow({ ...WINDOW, blockHeader: new Uint8Array(0) });
const WITH_HEADER = packWindow({ ...WINDOW, blockHeader: new Uint8Array(3) });

/** The same with little in its windows, so that it can be damaged often. */
function smallScan(): LayerScan {
  const scan = realScan();
  const checkpoints = scan.checkpoints.map((checkpoint) => {
    if (checkpoint.packedWindow.length === 0) return checkpoint;
    const packedWindow = checkpoint.blockBitOffset === undefined ? NO_HEADER : WITH_HEADER;
    return { ...checkpoint, prefixBytes: Math.min(checkpoint.prefixBytes, WINDOW.lengthBytes), packedWindow };
  });
  return { ...scan, checkpoints };
}

const SMALL_INDEX = encodeLayerIndex(smallScan(), KEY);

/** A layer index whose header is made to fit what is behind it. */
function signed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  const { at } = LAYER_INDEX_HEADER.digest;
  const rest = createHash("sha256").update(copy.subarray(0, at)).update(copy.subarray(LAYER_INDEX_HEADER_BYTES));
  copy.set(rest.digest(), at);
  return copy;
}

/** A signed layer index with this body. */
function withBody(body: Uint8Array, bodyBytes = body.length): Uint8Array<ArrayBuffer> {
  const packed = deflateRawSync(body, { level: 1 });
  const bytes = new Uint8Array(LAYER_INDEX_HEADER_BYTES + packed.length);
  bytes.set(SMALL_INDEX.subarray(0, LAYER_INDEX_HEADER.bodyBytes.at));
  new DataView(bytes.buffer).setUint32(LAYER_INDEX_HEADER.bodyBytes.at, bodyBytes, true);
  bytes.set(packed, LAYER_INDEX_HEADER_BYTES);
  return signed(bytes);
}

function bodyOf(index: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(inflateRawSync(index.subarray(LAYER_INDEX_HEADER_BYTES)));
}

async function refusal(bytes: Uint8Array): Promise<ClipError> {
  const error = await decodeLayerIndex(bytes, "test.clipl").then(() => assert.fail("believed"), (error) => error);
  assert(error instanceof ClipError, error?.stack ?? String(error));
  assert.match(error.message, /test\.clipl/);
  return error;
}

test("entries come out of a list as they went in, as often as asked", () => {
  fc.assert(
    fc.property(anyEntries, (entries) => {
      const list = EntryList.of(entries);
      assert.equal(list.length, entries.length);
      for (let i = 0; i < 2; i++) assert.deepEqual([...list], entries);
    }),
    { numRuns: 300, seed: testSeed() | 0 },
  );
});

test("all fields of any scan come back", async () => {
  const seed = testSeed();
  await fc.assert(
    fc.asyncProperty(anyScan, anyKey, async (scan, key) => {
      const bytes = encodeLayerIndex(scan, key);
      assert.deepEqual(await decodeLayerIndex(bytes, "x"), { key, scan });
      assert.deepEqual(encodeLayerIndex(scan, key), bytes, "equal scans give equal bytes");
    }),
    { numRuns: 300, seed },
  );
});

test("a real scan comes back, and it has something of everything", async () => {
  const scan = realScan();
  assert.deepEqual((await decodeLayerIndex(encodeLayerIndex(scan, KEY), "x")).scan, scan);
  assert(scan.checkpoints.some(({ packedWindow }) => packedWindow.length > 0), "windows");
  const entries = [...scan.entries];
  assert(entries.some(({ sparse }) => sparse !== undefined), "a sparse file");
  assert(entries.some(({ xattrs }) => xattrs !== undefined), "attributes");
  assert(entries.some(({ mtimeSeconds }) => mtimeSeconds < 0), "a time before 1970");
  assert.equal(scan.warnings.length, 1);
});

test("the result holds nothing of the bytes it was read from", async () => {
  const scan = realScan();
  const bytes = encodeLayerIndex(scan, KEY);
  const decoded = await decodeLayerIndex(bytes, "x");
  bytes.fill(0);
  assert.deepEqual(decoded.scan, scan);
});

test("every flipped byte is noticed, and every cut", async () => {
  const bytes = SMALL_INDEX;
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice();
    flipped[at]! ^= 1 + at % 255;
    const { code } = await refusal(flipped);
    const version = at === LAYER_INDEX_HEADER.version.at || at === LAYER_INDEX_HEADER.version.at + 1;
    assert.equal(code, version ? "unsupported" : "corrupt", `byte ${at}`);
  }
  for (let length = 0; length < bytes.length; length += 1 + (length >> 4)) {
    assert.equal((await refusal(bytes.subarray(0, length))).code, "corrupt", `${length} bytes`);
  }
  assert.equal((await refusal(new Uint8Array([...bytes, 0]))).code, "corrupt");
});

test("the header's fields tile it", () => {
  let end = 0;
  for (const { at, bytes } of Object.values(LAYER_INDEX_HEADER)) {
    assert.equal(at, end);
    end += bytes;
  }
  assert.equal(end, LAYER_INDEX_HEADER_BYTES);
});

test("a body of another length than promised is refused, and inflated no further", async () => {
  const body = bodyOf(SMALL_INDEX);
  for (const length of [0, body.length - 1, body.length + 1]) {
    assert.match((await refusal(withBody(body, length))).message, /bad body/);
  }
  assert.match((await refusal(withBody(body, 2 ** 32 - 1))).message, /bad body length/);
  // However much the bytes would make.
  const bomb = withBody(new Uint8Array(64 * 1024 * 1024), 100);
  assert.match((await refusal(bomb)).message, /bad body/);
});

test("bytes behind the last entry are refused", async () => {
  const body = bodyOf(SMALL_INDEX);
  assert.match((await refusal(withBody(new Uint8Array([...body, 0])))).message, /bad end/);
});

/** Scans with one thing wrong, and the field that the refusal names. */
const WRONG: readonly (readonly [field: string, change: (scan: LayerScan) => Partial<LayerScan>])[] = [
  ["codec", () => ({ codec: "GZIP" })],
  ["codec", () => ({ codec: "" })],
  ["diffId", () => ({ diffId: "sha256:0" as Digest })],
  ["compressedBytes", () => ({ compressedBytes: Number.MAX_SAFE_INTEGER })],
  ["checkpoints.number", () => ({ checkpoints: [] })],
  ["checkpoints.number", ({ checkpoints }) => ({ checkpoints: checkpoints.slice(0, 1) })],
  ["checkpoints[0].plainOffset", ({ checkpoints }) => ({ checkpoints: checkpoints.slice(1) })],
  ["checkpoints[0].compressedBitOffset", ({ checkpoints: [first, ...more] }) => ({
    checkpoints: [{ ...first!, compressedBitOffset: 8 }, ...more],
  })],
  ["checkpoints[0].packedWindow", ({ checkpoints: [first, ...more] }) => ({
    checkpoints: [{ ...first!, packedWindow: NO_HEADER }, ...more],
  })],
  ["checkpoints[1].plainOffset", ({ checkpoints }) => ({ checkpoints: [checkpoints[0]!, ...checkpoints] })],
  ["checkpoints[1].kind", ({ checkpoints: [first, second, ...more] }) => ({
    checkpoints: [first!, { ...second!, kind: 5 }, ...more],
  })],
  ["checkpoints[1].prefixBytes", ({ checkpoints: [first, second, ...more] }) => ({
    checkpoints: [first!, { ...second!, prefixBytes: 258 }, ...more],
  })],
  ["checkpoints[1].packedWindow", ({ checkpoints: [first, second, ...more] }) => ({
    checkpoints: [first!, { ...second!, packedWindow: new Uint8Array(65_537) }, ...more],
  })],
  ["checkpoints[1].packedWindow", ({ checkpoints: [first, second, ...more] }) => ({
    checkpoints: [first!, { ...second!, packedWindow: second!.packedWindow.slice(0, -1) }, ...more],
  })],
  ["checkpoints[1].packedWindow", ({ checkpoints: [first, second, ...more] }) => ({
    checkpoints: [first!, { ...second!, blockBitOffset: 0, packedWindow: NO_HEADER }, ...more],
  })],
  ["checkpoints[1].packedWindow", ({ checkpoints: [first, second, ...more] }) => ({
    checkpoints: [first!, { ...second!, blockBitOffset: undefined, packedWindow: WITH_HEADER }, ...more],
  })],
  ["checkpoints[1].prefixBytes", ({ checkpoints: [first, second, ...more] }) => ({
    checkpoints: [first!, { ...second!, blockBitOffset: undefined, prefixBytes: 6, packedWindow: NO_HEADER }, ...more],
  })],
  ["checkpoints[0].prefixBytes", ({ checkpoints: [first, ...more] }) => ({
    checkpoints: [{ ...first!, prefixBytes: 1, packedWindow: NO_HEADER }, ...more],
  })],
  ["checkpoints[0].kind", ({ checkpoints: [first, ...more] }) => ({
    checkpoints: [{ ...first!, blockBitOffset: 0, packedWindow: WITH_HEADER }, ...more],
  })],
  [".compressedBitOffset", ({ compressedBytes }) => ({ compressedBytes: compressedBytes >> 1 })],
  [".plainOffset", ({ plainBytes }) => ({ plainBytes: plainBytes + 512 })],
  ["spans.number", () => ({ spans: SpanList.of([]) })],
  ["spans[0].plainOffset", ({ spans: [, ...more] }) => ({ spans: SpanList.of(more) })],
  ["spans[1].plainOffset", ({ spans: [first, ...more] }) => ({ spans: SpanList.of([first!, first!, ...more]) })],
  [
    "spans[0].checkpoint",
    ({ spans: [first, ...more] }) => ({ spans: SpanList.of([{ ...first!, checkpoint: 1 }, ...more]) }),
  ],
  ["spans[0].checkpoint", ({ spans: [first] }) => ({ spans: SpanList.of([{ ...first!, checkpoint: 1000 }]) })],
  ["entries[0].mode", () => ({ entries: EntryList.of([file("a", 512, { mode: 0o10000 })]) })],
  ["entries[0].path", () => ({ entries: EntryList.of([file("")]) })],
  ["entries[0].path", () => ({ entries: EntryList.of([file("x".repeat(16_385))]) })],
  ["entries[0].dataPlainOffset", () => ({ entries: EntryList.of([file("a", 0)]) })],
  ["entries[1].dataPlainOffset", () => ({ entries: EntryList.of([file("a", 512), file("b", 1024)]) })],
  ["entries[0].dataPlainOffset", () => ({ entries: EntryList.of([file("a", 2 ** 40)]) })],
  ["entries[0].sizeBytes", () => ({ entries: EntryList.of([file("a", 512, { sizeBytes: 2 ** 40 })]) })],
  ["entries[0].uid", () => ({ entries: EntryList.of([file("a", 512, { uid: 2 ** 32 })]) })],
  ["entries[0].gid", () => ({ entries: EntryList.of([file("a", 512, { gid: 2 ** 32 })]) })],
  ["entries[0].mtimeNanoseconds", () => ({ entries: EntryList.of([file("a", 512, { mtimeNanoseconds: 1e9 })]) })],
  [
    "entries[0].linkName",
    () => ({ entries: EntryList.of([{ ...symlink("a", "x".repeat(16_385)), dataPlainOffset: 512 }]) }),
  ],
  [
    "entries[0].deviceMajor",
    () => ({ entries: EntryList.of([file("a", 512, { kind: "block-device", deviceMajor: 4096 })]) }),
  ],
  [
    "entries[0].deviceMinor",
    () => ({ entries: EntryList.of([file("a", 512, { kind: "block-device", deviceMinor: 2 ** 20 })]) }),
  ],
  ["entries[0].sparse", () => ({ entries: EntryList.of([file("a", 512, { kind: "fifo", sparse: [] })]) })],
  [
    "entries[0].sparse.fileOffset",
    () => ({ entries: EntryList.of([file("a", 512, { sparse: [{ fileOffset: 11, lengthBytes: 1 }] })]) }),
  ],
  [
    "entries[0].sparse.lengthBytes",
    () => ({ entries: EntryList.of([file("a", 512, { sparse: [{ fileOffset: 9, lengthBytes: 2 }] })]) }),
  ],
  [
    "entries[0].sparse.lengthBytes",
    () => ({ entries: EntryList.of([file("a", 512, { sparse: [{ fileOffset: 9, lengthBytes: 0 }] })]) }),
  ],
  [
    "entries[0].xattr name",
    () => ({ entries: EntryList.of([file("a", 512, { xattrs: new Map([["", new Uint8Array(1)]]) })]) }),
  ],
  [
    "entries[0].xattr name",
    () => ({ entries: EntryList.of([file("a", 512, { xattrs: new Map([["\0", new Uint8Array(1)]]) })]) }),
  ],
  [
    "entries[0].xattr name",
    () => ({ entries: EntryList.of([file("a", 512, { xattrs: new Map([["x".repeat(256), new Uint8Array(1)]]) })]) }),
  ],
  [
    "entries[0].xattr value",
    () => ({ entries: EntryList.of([file("a", 512, { xattrs: new Map([["x", new Uint8Array(65_537)]]) })]) }),
  ],
];

test("each field that cannot be of a layer is refused by name", async () => {
  const scan = realScan();
  for (const [field, change] of WRONG) {
    const error = await refusal(encodeLayerIndex({ ...scan, ...change(scan) }, KEY));
    assert(error instanceof CorruptError, `${field}: ${error.message}`);
    assert(error.details.field.endsWith(field), `${error.details.field}, where ${field} is wrong`);
  }
  const layerDigest = "md5:0" as Digest;
  assert.match((await refusal(encodeLayerIndex(scan, { ...KEY, layerDigest }))).message, /bad layerDigest/);
});

test("entries that cannot be written are a bug, not a file", () => {
  const unplaced = [file("a", 513)];
  const backwards = [file("a", 2048), file("b", 512)];
  for (const wrong of [unplaced, backwards]) assert.throws(() => EntryList.of(wrong), { code: "internal" });
});

test("mutated bodies are refused as corrupt, or read as a scan that can be written again", async () => {
  const seed = testSeed();
  try {
    const random = new SeededRandom(seed);
    const original = bodyOf(SMALL_INDEX);
    let read = 0;
    for (let round = 0; round < 4000; round++) {
      const body = original.slice();
      for (let count = 1 + random.below(4); count > 0; count--) {
        // Half of the changes behind the windows, where the entries are.
        const from = random.below(2) === 0 ? 0 : body.length - 250;
        const at = from + random.below(body.length - from);
        if (random.below(6) === 0) body.copyWithin(at, random.below(body.length));
        else body[at] = random.below(3) === 0 ? 255 : random.below(256);
      }
      const cut = random.below(8) === 0 ? body.subarray(0, random.below(body.length)) : body;
      try {
        const { scan, key } = await decodeLayerIndex(withBody(cut), "x");
        assert.deepEqual((await decodeLayerIndex(encodeLayerIndex(scan, key), "x")).scan, scan);
        read++;
      } catch (error) {
        assert(error instanceof CorruptError, (error as Error).stack);
        assert(error.message.length < 1000 && !error.message.includes("\n"), error.message);
      }
    }
    assert(read > 100, `only ${read} were read: the mutations are too coarse to tell anything`);
  } catch (error) {
    throw new Error(`failed with CLIP_TEST_SEED=${seed}`, { cause: error });
  }
});

test("a count too long, and more entries than there are bytes, are refused", async () => {
  const scan = { ...smallScan(), entries: EntryList.of([]) };
  const body = bodyOf(encodeLayerIndex(scan, KEY));
  const behind = (...bytes: number[]) => withBody(new Uint8Array([...body.subarray(0, -1), ...bytes]));
  assert.match((await refusal(behind(...Array(9).fill(0xff)))).message, /entries\.number.*8 bytes/);
  assert.match((await refusal(behind(0xff, 0xff, 0xff, 0x7f))).message, /entries\.number at byte/);
  assert.match((await refusal(behind(1))).message, /entries\.number/);
  assert.match((await refusal(behind())).message, /entries\.number.*found the end/);
});

test("paths that grow out of a few bytes each are refused before they fill the memory", () => {
  const writer = new ByteWriter(2 ** 20);
  const path = "x".repeat(16_384);
  writeEntries(writer, EntryList.of(Array.from({ length: 10 }, (_, i) => file(path, 512 * (1 + 2 * i)))));
  const bytes = writer.written();
  assert(bytes.length < path.length + 200, "each but the first in a few bytes");
  const read = (maxPathBytesInAll: number) => {
    const reader = new ByteReader(bytes, { subject: "layer index", source: "test.clipl" });
    return readEntries(reader, 2 ** 20, maxPathBytesInAll);
  };
  assert.equal(read(10 * path.length).length, 10);
  assert.throws(() => read(10 * path.length - 1), /entries\[9\]\.path .*at most 163839/);
});

test("what would be too much for a layer index is not written", () => {
  const writer = new ByteWriter(100_000);
  const entries = new EntryListWriter(8);
  entries.add(file("12345"));
  assert.throws(() => entries.add(file("6789", 2048)), { code: "limit" });
  assert.throws(() => writer.raw(new Uint8Array(100_001)), { code: "limit" });
  writer.raw(new Uint8Array(100_000));
  assert.equal(writer.written().length, 100_000);
});
