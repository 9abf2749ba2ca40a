import assert from "node:assert/strict";
import { constants, gzipSync } from "node:zlib";
import { ClipError, sha256, sha256Bytes } from "../../src/base/mod.ts";
import { CheckpointKind } from "../../src/codec/mod.ts";
import { type LayerScan, LayerScanner, mergeLayers, type ScanLayerOptions } from "../../src/indexer/mod.ts";
import { SeededRandom, withSeed } from "../codec/seeded_random.ts";
import { endOfArchive, join, paxHeader, tar, tarEntry, type TarEntryFields } from "../tar/tar_builder.ts";
import { linesOf } from "./entries.ts";
import { GZIP_LAYER, oneBlockLayer, programLike, SMALL_SPANS, TAR_LAYER } from "./memory_image.ts";

const { test } = Deno;
const KIB = 1024;

/** Scans a blob that is pushed in `pieces`, each overwritten after its push. */
function scan(
  pieces: Iterable<Uint8Array>,
  { mediaType = GZIP_LAYER, options = SMALL_SPANS }: { mediaType?: string; options?: ScanLayerOptions } = {},
): LayerScan {
  const scanner = new LayerScanner(mediaType, options);
  for (const piece of pieces) {
    const lent = new Uint8Array(piece);
    scanner.push(lent);
    lent.fill(0xa5);
  }
  return scanner.finish();
}

/** A layer with small and large files, about 3 MB. */
function sampleTar(): Uint8Array<ArrayBuffer> {
  const random = new SeededRandom(3);
  const entries: TarEntryFields[] = [{ path: "bin/", type: "5" }];
  for (let i = 0; i < 120; i++) {
    const length = i % 10 === 9 ? 100 * KIB + random.below(200 * KIB) : random.below(9 * KIB);
    entries.push({ path: `bin/file${i}`, data: programLike(length, random) });
  }
  return tar(...entries.map(tarEntry));
}

const PLAIN = sampleTar();
const STREAMS: Record<string, Uint8Array> = {
  "level 6": gzipSync(PLAIN, { level: 6 }),
  "short blocks": gzipSync(PLAIN, { level: 6, memLevel: 1 }),
  "stored blocks": gzipSync(PLAIN, { level: 0 }),
  "fixed codes": gzipSync(PLAIN, { strategy: constants.Z_FIXED }),
  "members": join(
    ...[0, 700_001, 1_400_003].map((at, i, all) => gzipSync(PLAIN.subarray(at, all[i + 1] ?? PLAIN.length))),
  ),
  "no compression": PLAIN,
};

/** What must hold of every scan of `plain`. */
function checkScan(result: LayerScan, plain: Uint8Array, options: ScanLayerOptions): void {
  assert.equal(result.plainBytes, plain.length);
  assert.equal(result.diffId, sha256(plain));
  assert.equal(result.checkpoints[0]!.kind, CheckpointKind.start);
  assert.equal(result.checkpoints.at(-1)!.kind, CheckpointKind.final);
  assert.equal(result.checkpoints.at(-1)!.plainOffset, plain.length);
  const spans = [...result.spans];
  spans.forEach((span, i) => {
    const end = spans[i + 1]?.plainOffset ?? plain.length;
    assert.deepEqual(Uint8Array.from(span.digest), Uint8Array.from(sha256Bytes(plain.subarray(span.plainOffset, end))));
    const before = result.checkpoints.findLastIndex((checkpoint) => checkpoint.plainOffset <= span.plainOffset);
    assert.equal(span.checkpoint, before, `checkpoint of span ${i}`);
  });
  for (const checkpoint of result.checkpoints.slice(0, -1)) {
    assert(spans.some((span) => span.plainOffset === checkpoint.plainOffset), "every checkpoint begins a span");
  }
  const gaps = result.checkpoints.slice(1).map((next, i) => next.plainOffset - result.checkpoints[i]!.plainOffset);
  assert(Math.max(...gaps) <= 2 * options.spacingBytes, `checkpoints ${Math.max(...gaps)} bytes apart`);
}

for (const [name, blob] of Object.entries(STREAMS)) {
  test(`${name}: the same scan however the bytes are cut`, () =>
    withSeed((random) => {
      const whole = scan([blob]);
      checkScan(whole, PLAIN, SMALL_SPANS);
      assert.equal(whole.codec, name === "no compression" ? "none" : "gzip");
      assert.equal(whole.compressedBytes, blob.length);
      assert.equal(whole.entries.length, 121);
      for (const meanLength of [50_000, 3000]) assert.deepEqual(scan(random.split(blob, meanLength)), whole);
    }));

  test(`${name}: a checkpoint lies at or shortly before every large file`, () => {
    const { entries, checkpoints } = scan([blob]);
    const large = [...entries].filter((entry) => entry.sizeBytes >= SMALL_SPANS.fileCheckpointBytes!);
    assert.equal(large.length, 12);
    // How long a deflate block of such data may be; an uncompressed layer can start anywhere.
    const slackBytes = name === "no compression" ? 0 : name === "fixed codes" ? 130 * KIB : 80 * KIB;
    for (const { path, dataPlainOffset } of large) {
      const before = checkpoints.findLast((checkpoint) => checkpoint.plainOffset <= dataPlainOffset)!;
      const gapBytes = dataPlainOffset - before.plainOffset;
      assert(gapBytes <= slackBytes, `${path}: ${gapBytes} bytes after the checkpoint before it`);
    }
  });
}

test("one block of all the data: spans without checkpoints, and the same however the bytes are cut", () =>
  withSeed((random) => {
    const { plain, blob } = oneBlockLayer(10_000_000, random);
    const whole = scan([blob]);
    const { start, final } = CheckpointKind;
    assert.deepEqual(whole.checkpoints.map(({ kind }) => kind), [start, final]);
    assert(whole.spans.length > 30, "spans of 384 KiB at most");
    const compressedBytes = [...whole.spans].map((span) => span.compressedBytes);
    assert.equal(compressedBytes.pop(), 0, "the last takes all there is");
    assert(compressedBytes.every((bytes, i) => bytes > (compressedBytes[i - 1] ?? 0) && bytes < blob.length));
    checkScan(whole, plain, { ...SMALL_SPANS, spacingBytes: plain.length });
    assert.deepEqual(scan(random.split(blob, 9000)), whole);
  }));

test("without checkpoints for files there are fewer checkpoints, and none of that kind", () => {
  const without = scan([PLAIN], { options: { ...SMALL_SPANS, fileCheckpointBytes: null } });
  const kinds = (result: LayerScan) => result.checkpoints.map((checkpoint) => checkpoint.kind);
  assert(!kinds(without).includes(CheckpointKind.file));
  assert(kinds(scan([PLAIN])).includes(CheckpointKind.file));
  checkScan(without, PLAIN, SMALL_SPANS);
});

test("a byte at a time, across every header of a small layer", () => {
  const plain = tar(
    paxHeader({ "SCHILY.xattr.user.a": "1", mtime: "-1.5" }),
    tarEntry({ path: "a", data: "hello" }),
    tarEntry({ path: "b", type: "2", linkName: "a" }),
  );
  const blob = gzipSync(plain);
  const whole = scan([blob]);
  assert.deepEqual(scan(Array.from(blob, (byte) => Uint8Array.of(byte))), whole);
  assert.deepEqual(linesOf(mergeLayers([whole.entries], () => {})), [
    "/ dir 755",
    "/a file 644 0@1536+5 t-2.500000000 user.a=1",
    "/b link 777 -> a",
  ]);
});

test("typeflag 7, old GNU sparse files, PAX globals and times before 1970 reach the tree", () => {
  const sparse = tarEntry({
    path: "sparse",
    type: "S",
    format: "gnu",
    data: "x".repeat(512) + "y".repeat(512),
    // Runs of 512 bytes at 0 and at 8,192, and the real size of 32,768: octal.
    raw: { 386: "00000000000 00000001000 00000020000 00000001000 ", 483: "00000100000 " },
  });
  const plain = tar(
    paxHeader({ "SCHILY.xattr.security.capability": "c" }, "g"),
    tarEntry({ path: "./", type: "5", mode: 0o700 }),
    tarEntry({ path: "seven", type: "7", data: "7", mtime: -86400 }),
    sparse,
  );
  const { entries } = scan([plain], { mediaType: TAR_LAYER });
  assert.deepEqual(linesOf(mergeLayers([entries], () => {})), [
    "/ dir 700 security.capability=c",
    "/seven file 644 0@2048+1 t-86400.0 security.capability=c",
    "/sparse file 644 0:0@3072+512,8192:0@3584+512+32768 security.capability=c",
  ]);
});

test("an empty layer, a tar of nothing and a layer of a few bytes", () => {
  for (const plain of [endOfArchive(), new Uint8Array(0)]) {
    const result = scan([gzipSync(plain)]);
    assert.equal(result.plainBytes, plain.length);
    assert.equal(result.entries.length, 0);
    assert.equal(result.diffId, sha256(plain));
    assert.equal(result.spans.length, plain.length === 0 ? 0 : 1);
  }
  assert.equal(scan([endOfArchive()], { mediaType: TAR_LAYER }).codec, "none");
  assert.equal(scan([], { mediaType: TAR_LAYER }).plainBytes, 0);
});

test("the bytes have the last word on the format, with a warning", () => {
  const plain = tar(tarEntry({ path: "a", data: "hello" }));
  const found = scan([plain], { mediaType: GZIP_LAYER });
  assert.equal(found.codec, "none");
  assert.match(found.warnings.join("\n"), /tar\+gzip.* uncompressed tar/);
  assert.equal(scan([gzipSync(plain)], { mediaType: TAR_LAYER }).codec, "gzip");
});

test("of many warnings the first are told, and how many more there were", () => {
  const odd = Array.from({ length: 60 }, (_, i) => tarEntry({ path: `odd${i}`, type: "9" }));
  const { warnings } = scan([tar(...odd)], { mediaType: TAR_LAYER });
  assert.equal(warnings.length, 21);
  assert.match(warnings[0]!, /odd0.*unknown type/);
  assert.equal(warnings[20], "40 further warnings");
});

test("damage is an error, wherever it is", () => {
  const blob = STREAMS["level 6"]!;
  const refused = (damaged: Uint8Array, pattern: RegExp) =>
    assert.throws(() => scan([damaged]), (error) => error instanceof ClipError && pattern.test(error.message));
  refused(blob.subarray(0, blob.length - 1), /gzip/);
  refused(blob.subarray(0, blob.length - 9), /gzip/);
  refused(blob.subarray(0, 5), /gzip/);
  const flipped = new Uint8Array(blob);
  flipped[blob.length - 6]! ^= 1;
  refused(flipped, /gzip.*CRC/i);
  refused(gzipSync(PLAIN.subarray(0, 1000)), /tar/);
  assert.throws(() => scan([new Uint8Array(600).fill(7)], { mediaType: "text/plain" }), /media type "text\/plain"/);
});
