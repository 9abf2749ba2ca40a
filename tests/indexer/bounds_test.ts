/** What layers may take of time and memory. */
import assert from "node:assert/strict";
import { SpanList } from "../../src/archive/mod.ts";
import { ClipError, GIB, KIB, MIB } from "../../src/base/mod.ts";
import { EntryList, LayerScanner, mergeLayers } from "../../src/indexer/mod.ts";
import { LearntBytes, scanBounds } from "../../src/indexer/scan_bounds.ts";
import { entryBound } from "../../src/indexer/entry_bound.ts";
import type { TarEntry } from "../../src/tar/mod.ts";
import { handmadeFrame } from "../codec/zstd/streams.ts";
import { directory, file, symlink } from "./entries.ts";
import { descriptorOf, gzipLayer, SMALL_SPANS, tarLayer } from "./memory_image.ts";

const { test } = Deno;

function limited(work: () => unknown, message: RegExp): void {
  assert.throws(work, (error) => {
    assert(error instanceof ClipError, String(error));
    assert.match(`${error.code}: ${error.message}`, message);
    return true;
  });
}

test("a layer's plain bytes are bounded by what was asked for, else by 64 GiB and by its compressed size", () => {
  const layer = (sizeBytes: number) => ({ ...descriptorOf(tarLayer()), sizeBytes });
  assert.equal(scanBounds(layer(MIB), {}).plainBytes, 4 * GIB + 1032 * MIB);
  assert.equal(scanBounds(layer(10 * GIB), {}).plainBytes, 64 * GIB);
  assert.equal(scanBounds(layer(MIB), { maxLayerBytes: 9 * GIB }).plainBytes, 9 * GIB, "who asks for more gets it");
  assert.equal(scanBounds(layer(MIB), { maxEntries: 7 }).entries, 7);
});

test("a scan ends with the first piece beyond its bound, however little the rest takes compressed", () => {
  // 400 blocks of 128 KiB in four bytes each, as a bomb of terabytes would have more of.
  const bomb = handmadeFrame(Array.from({ length: 400 }, () => [1, 128 * KIB, Uint8Array.of(0)] as const));
  assert(bomb.length < 2 * KIB);
  const bounds = { plainBytes: 5 * MIB, plainBytesReason: "as the test wants it", entries: 10 };
  const scanner = new LayerScanner("application/vnd.oci.image.layer.v1.tar+zstd", SMALL_SPANS, { bounds });
  limited(() => scanner.push(bomb), /^limit: unpacks to more than 5\.00 MiB, as the test wants it$/);
  assert(scanner.plainBytes <= 5 * MIB + 128 * KIB, `${scanner.plainBytes}`);
});

test("a scan ends with the first entry beyond its bound", () => {
  const { blob, mediaType } = gzipLayer({ path: "a" }, { path: "b" }, { path: "c" });
  const scan = (entries: number) => {
    const bounds = { plainBytes: MIB, plainBytesReason: "", entries };
    const scanner = new LayerScanner(mediaType, SMALL_SPANS, { bounds });
    scanner.push(blob);
    return scanner.finish().entries.length;
  };
  assert.equal(scan(3), 3);
  limited(() => scan(2), /^limit: more than 2 files and directories \(--max-entries/);
});

test("the bound of entries is what was asked for, or what the heap has room for", () => {
  assert.equal(entryBound(5), 5);
  assert(entryBound(2 ** 50) < 2 ** 30, "no heap has room for so many");
});

test("merging counts directories that no layer has an entry for, and all layers together", () => {
  const merge = (layers: TarEntry[][], maxEntries: number) => mergeLayers(layers, () => {}, { maxEntries });
  merge([[file("a/b/c")], [file("d")]], 4);
  limited(() => merge([[file("a/b/c")], [file("d")]], 3), /^limit: more than 3 files/);
  limited(() => merge([[file("x/".repeat(2000) + "f")]], 1000), /^limit: more than 1000 files/);
});

test("paths that lead far through symlinks are bounded in depth and in steps", () => {
  const deep = "d/".repeat(2000).slice(0, -1);
  const chain = [symlink("a", deep), symlink(`${deep}/b`, deep.slice(0, 3997)), file(`a/b/${deep}/f`)];
  limited(() => mergeLayers([chain], () => {}), /^corrupt: tar layer 0, entry a\/b.*: bad depth of path: found 4097/);
  // Each looks short, and goes up and down thousands of directories.
  const zigzag = Array.from({ length: 100 }, (_, i) => file(`up/${i}`));
  const layer = [directory("x"), symlink("up", "x/../".repeat(800) + "x"), ...zigzag.flatMap((f) => [f, file("y")])];
  mergeLayers([layer], () => {});
  limited(
    () => mergeLayers([layer], () => {}, { maxSteps: 10_000 }),
    /^limit: layer 0, entry up\/\d+: with those before, paths lead over more than 10000 names$/,
  );
});

test("a directory replaced over and over is entry after entry, not memory after memory", () => {
  const entries = Array.from({ length: 50 }, (_, i) => i % 2 === 0 ? directory("d") : file("d"));
  limited(() => mergeLayers([entries], () => {}, { maxEntries: 49 }), /^limit: more than 49 files/);
});

test("what scans hold is bounded together", () => {
  const window = { length: 700 * MIB } as Uint8Array; // only its length is looked at
  const checkpoint = { kind: 0, plainOffset: 0, compressedBitOffset: 0, atHeader: true, prefixBytes: 0 };
  const scan = {
    codec: "gzip",
    compressedBytes: 1,
    plainBytes: 1,
    diffId: descriptorOf(tarLayer()).diffId,
    checkpoints: [{ ...checkpoint, blockBitOffset: undefined, packedWindow: window }],
    spans: SpanList.of([]),
    entries: EntryList.of([]),
    warnings: [],
  };
  const learnt = new LearntBytes();
  learnt.add(scan);
  learnt.add(scan);
  limited(() => learnt.add(scan), /^limit: entries, windows and spans of the layers take more than 2\.00 GiB$/);
});
