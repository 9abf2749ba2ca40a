/** Scans as a layer could have them, made up by chance or by hand. */
import { STRATEGY_NAMES } from "../../src/codec/mod.ts";
import fc from "fast-check";
import { type Digest, fromByteString } from "../../src/base/mod.ts";
import { packWindow, type Span, SpanList, type StoredCheckpoint } from "../../src/archive/mod.ts";
import { EntryList, type LayerIndexKey, type LayerScan } from "../../src/indexer/mod.ts";
import type { SparseRun, TarEntry } from "../../src/tar/mod.ts";

const BLOCK_BYTES = 512;

const byteString = (min: number, max: number) =>
  fc.array(fc.nat(255), { minLength: min, maxLength: max }).map((units) => String.fromCharCode(...units));

const digest = fc.constantFrom("sha256", "sha512").chain((algorithm) =>
  fc.array(fc.constantFrom(..."0123456789abcdef"), {
    minLength: algorithm === "sha256" ? 64 : 128,
    maxLength: algorithm === "sha256" ? 64 : 128,
  }).map((hex) => `${algorithm}:${hex.join("")}` as Digest)
);

/** What a layer index may be called. */
export const anyKey: fc.Arbitrary<LayerIndexKey> = fc.record({
  layerDigest: digest,
  options: fc.record({
    strategy: fc.constantFrom(...STRATEGY_NAMES),
    spacingBytes: fc.nat(2 ** 31 - 1),
    fileCheckpointBytes: fc.option(fc.nat()),
  }, {
    noNullPrototype: true,
  }),
  scanRevision: fc.nat(1000),
}, { noNullPrototype: true });

/** Paths that begin like others, as those of a layer do, and some that are long or odd. */
const path = fc.oneof(
  fc.array(fc.constantFrom("usr", "lib", "a", ".wh.b", "..", "\xff\x80"), { minLength: 1, maxLength: 6 })
    .map((parts) => parts.join("/")),
  byteString(1, 40),
  fc.integer({ min: 4090, max: 16_384 }).map((length) => "long/".repeat(3277).slice(0, length)),
);

const xattrs = fc.option(
  fc.uniqueArray(
    fc.tuple(byteString(1, 20).map((name) => name.replaceAll("\0", "0")), byteString(0, 50).map(fromByteString)),
    { minLength: 1, maxLength: 4, selector: ([name]) => name },
  ).map((list) => new Map<string, Uint8Array>(list)),
  { nil: undefined, freq: 4 },
);

/** Small ids and times, so that neighbours share them, and the extremes. */
const id = fc.constantFrom(0, 0, 0, 1000, 2 ** 32 - 1);
const seconds = fc.oneof(
  fc.constantFrom(0, 1_700_000_000, 1_700_000_000, -1, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER),
  fc.integer(),
);
const sizeBytes = fc.oneof(fc.constantFrom(0, 1, 511, 512, 513), fc.nat(10_000), fc.constant(2 ** 45));

/** Runs and holes by turns, in a file that is as long as they are or longer. */
const sparse = fc.tuple(fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 5000 })), { maxLength: 5 }), fc.nat())
  .map(([steps, hole]) => {
    let end = 0;
    const runs: SparseRun[] = steps.map(([gap, lengthBytes]) => {
      const run = { fileOffset: end + gap, lengthBytes };
      end = run.fileOffset + lengthBytes;
      return run;
    });
    return { runs, sizeBytes: end + hole };
  });

type EntryDraft = Omit<TarEntry, "dataPlainOffset"> & { readonly blocksBefore: number };

const entry: fc.Arbitrary<EntryDraft> = fc.record({
  kind: fc.constantFrom(
    "file" as const,
    "file" as const,
    "directory" as const,
    "symlink" as const,
    "hardlink" as const,
    "character-device" as const,
    "block-device" as const,
    "fifo" as const,
  ),
  path,
  linkName: byteString(0, 60),
  mode: fc.nat(0o7777),
  uid: id,
  gid: id,
  mtimeSeconds: seconds,
  mtimeNanoseconds: fc.constantFrom(0, 0, 1, 999_999_999),
  deviceMajor: fc.nat(4095),
  deviceMinor: fc.nat(2 ** 20 - 1),
  sizeBytes,
  sparse: fc.option(sparse, { nil: undefined, freq: 5 }),
  xattrs,
  blocksBefore: fc.integer({ min: 1, max: 5 }),
}).map(({ sparse: map, ...draft }) => {
  const isFile = draft.kind === "file";
  const isLink = draft.kind === "symlink" || draft.kind === "hardlink";
  const isDevice = draft.kind.endsWith("device");
  const runs = isFile ? map?.runs : undefined;
  const size = !isFile ? 0 : runs === undefined ? draft.sizeBytes : map!.sizeBytes;
  return {
    ...draft,
    linkName: isLink ? draft.linkName : "",
    deviceMajor: isDevice ? draft.deviceMajor : 0,
    deviceMinor: isDevice ? draft.deviceMinor : 0,
    sizeBytes: size,
    sparse: runs,
    storedBytes: runs === undefined ? size : runs.reduce((sum, run) => sum + run.lengthBytes, 0),
  };
});

/** Gives entries their places; the length of the layer that they need, in blocks. */
function placed(drafts: readonly EntryDraft[]): { entries: TarEntry[]; blocks: number } {
  let block = 0;
  const entries = drafts.map(({ blocksBefore, ...draft }) => {
    const dataPlainOffset = (block + blocksBefore) * BLOCK_BYTES;
    block = Math.ceil((dataPlainOffset + draft.storedBytes) / BLOCK_BYTES);
    return { ...draft, dataPlainOffset };
  });
  return { entries, blocks: block };
}

/** Entries in the order of a layer. */
export const anyEntries: fc.Arbitrary<TarEntry[]> = fc.array(entry, { maxLength: 12 }).map((drafts) =>
  placed(drafts).entries
);

/** A window of up to three parts, and a block's header where the place is in a block. */
const window = fc.record({
  steps: fc.array(fc.tuple(fc.nat(9000), fc.uint8Array({ minLength: 1, maxLength: 300 })), { maxLength: 3 }),
  block: fc.option(fc.record({ bitsBefore: fc.nat(1000), header: fc.uint8Array({ minLength: 1, maxLength: 20 }) }), {
    nil: undefined,
  }),
  prefixBytes: fc.nat(257),
}).map(({ steps, block, prefixBytes }) => {
  let lengthBytes = 0;
  const runs = steps.flatMap(([gap, bytes]) => {
    lengthBytes += gap + bytes.length;
    return [lengthBytes - bytes.length, bytes.length];
  });
  const bytes = Uint8Array.from(steps.flatMap(([, part]) => [...part]));
  const blockHeader = block?.header ?? new Uint8Array(0);
  return {
    packedWindow: packWindow({ lengthBytes, runs: Uint32Array.from(runs), bytes, blockHeader }),
    prefixBytes: Math.min(prefixBytes, lengthBytes),
    blockBitsBefore: block?.bitsBefore,
  };
});

const NO_WINDOW = { packedWindow: new Uint8Array(0), prefixBytes: 0, blockBitOffset: undefined };

/** Checkpoints at least 64 bytes apart, in a layer that is no longer than a span may be for each of them. */
const tables = fc.record({
  steps: fc.array(fc.tuple(fc.integer({ min: 64, max: 200_000_000 }), fc.nat(1e9), fc.nat(4), fc.boolean(), window), {
    maxLength: 6,
  }),
  digests: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 7, maxLength: 7 }),
});

/** A scan in which everything agrees. */
export const anyScan: fc.Arbitrary<LayerScan> = fc.record({
  codec: fc.constantFrom("gzip", "none", "zstd"),
  diffId: digest,
  drafts: fc.array(entry, { maxLength: 12 }),
  tables,
  warnings: fc.array(fc.string({ unit: "grapheme" }), { maxLength: 3 }),
}).map(({ codec, diffId, drafts, tables: { steps, digests }, warnings }) => {
  let plainOffset = 0;
  let compressedBitOffset = 0;
  const checkpoints: StoredCheckpoint[] = [{
    kind: 0,
    plainOffset: 0,
    compressedBitOffset,
    atHeader: true,
    ...NO_WINDOW,
  }];
  for (const [plainStep, bitStep, kind, atHeader, { blockBitsBefore, ...rest }] of steps) {
    plainOffset += plainStep;
    compressedBitOffset += bitStep;
    const blockBitOffset = blockBitsBefore === undefined
      ? undefined
      : Math.max(0, compressedBitOffset - blockBitsBefore);
    checkpoints.push({ kind, plainOffset, compressedBitOffset, atHeader, blockBitOffset, ...rest });
  }
  const { entries, blocks } = placed(drafts);
  const plainBytes = steps.length === 0 && blocks === 0 ? 0 : Math.max(plainOffset + 64, blocks * BLOCK_BYTES);
  checkpoints.push({ kind: 4, plainOffset: plainBytes, compressedBitOffset, atHeader: false, ...NO_WINDOW });
  const spans: Span[] = [];
  const leftBytes = (i: number) =>
    Math.ceil(compressedBitOffset / 8) - Math.floor(checkpoints[i]!.compressedBitOffset / 8);
  // A span at each checkpoint, and where that would be too long, further ones that start at the same.
  for (let i = 0; plainBytes > 0 && i + 1 < checkpoints.length; i++) {
    const end = checkpoints[i + 1]!.plainOffset;
    const most = Math.max(200_000_000, Math.ceil((end - checkpoints[i]!.plainOffset) / 4));
    for (let at = checkpoints[i]!.plainOffset; at < end; at += most) {
      spans.push({
        plainOffset: at,
        checkpoint: i,
        compressedBytes: Math.min(at % 3, leftBytes(i)),
        digest: digests[i]!,
      });
    }
  }
  const compressedBytes = Math.ceil(compressedBitOffset / 8);
  return {
    codec,
    compressedBytes,
    plainBytes,
    diffId,
    checkpoints,
    spans: SpanList.of(spans),
    entries: EntryList.of(entries),
    warnings,
  };
}).filter(({ spans, plainBytes }) =>
  [...spans].every(({ plainOffset }, i, all) =>
    (all[i + 1]?.plainOffset ?? plainBytes) - plainOffset <= 256 * 1024 * 1024
  )
);
