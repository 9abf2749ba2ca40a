/** Small images made by hand or at random, as the writer of archives takes them. */
import fc from "fast-check";
import { type ByteString, sha256, sha256Bytes } from "../../src/base/mod.ts";
import {
  type Archive,
  type ArchiveContents,
  type DataPlace,
  encodeArchive,
  type Extent,
  openArchive,
  packWindow,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  type Span,
  SpanList,
  type StoredCheckpoint,
  type TreeNode,
} from "../../src/archive/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";

/** A layer of an image under construction. */
export type LayerModel = ArchiveContents["layers"][number];

const PLAIN_NODE: TreeNode = {
  mode: 0,
  uid: 0,
  gid: 0,
  mtimeSeconds: 1_700_000_000,
  mtimeNanoseconds: 0,
  sizeBytes: 0,
  data: undefined,
  target: "",
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: undefined,
  children: undefined,
};

/** A directory with these children. */
export function directory(
  children: Readonly<Record<ByteString, TreeNode>> = {},
  fields: Partial<TreeNode> = {},
): TreeNode {
  return { ...PLAIN_NODE, mode: S_IFDIR | 0o755, children: new Map(Object.entries(children)), ...fields };
}

/** The children of a directory made by `directory`. */
export function childrenOf(node: TreeNode): Map<ByteString, TreeNode> {
  return node.children as Map<ByteString, TreeNode>;
}

/** A file of `sizeBytes`, its data at `data`; empty by default. */
export function file(
  sizeBytes = 0,
  data: DataPlace | readonly Extent[] | undefined = sizeBytes === 0 ? undefined : { layer: 0, plainOffset: 512 },
  fields: Partial<TreeNode> = {},
): TreeNode {
  return { ...PLAIN_NODE, mode: S_IFREG | 0o644, sizeBytes, data, ...fields };
}

/** A symlink to `target`. */
export function symlink(target: ByteString): TreeNode {
  return { ...PLAIN_NODE, mode: S_IFLNK | 0o777, target };
}

/** A device, `"character"` or `"block"`. */
export function device(type: "character" | "block", deviceMajor: number, deviceMinor: number): TreeNode {
  return { ...PLAIN_NODE, mode: (type === "block" ? S_IFBLK : S_IFCHR) | 0o600, deviceMajor, deviceMinor };
}

/** A named pipe. */
export function fifo(): TreeNode {
  return { ...PLAIN_NODE, mode: S_IFIFO | 0o600 };
}

/** The plain bytes of layer `number`: deflatable, and different at each offset and in each layer. */
export function layerBytes(number: number, plainBytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: plainBytes }, (_, at) => (at >> 3) ^ (at >> 9) ^ (number * 31));
}

/**
 * A layer of `plainBytes`, "compressed" to half of them, with a span every `spanBytes` and a checkpoint at every
 * `spansPerCheckpoint`-th of those. Digests and windows are real; there is no blob.
 */
export function layer(
  number: number,
  plainBytes: number,
  { spanBytes = 1024, spansPerCheckpoint = 1 }: { spanBytes?: number; spansPerCheckpoint?: number } = {},
): LayerModel {
  const plain = layerBytes(number, plainBytes);
  const compressedBytes = 20 + Math.ceil(plainBytes / 2);
  const checkpoints: StoredCheckpoint[] = [];
  const spans: Span[] = [];
  for (let at = 0; at < plainBytes; at += spanBytes) {
    if (spans.length % spansPerCheckpoint === 0) {
      checkpoints.push(checkpoint(checkpoints.length === 0 ? 0 : 1, plain, at, at * 4));
    }
    const digest = new Uint8Array(sha256Bytes(plain.subarray(at, at + spanBytes)));
    spans.push({ plainOffset: at, checkpoint: checkpoints.length - 1, digest, compressedBytes: 0 });
  }
  if (checkpoints.length === 0) checkpoints.push(checkpoint(0, plain, 0, 0));
  checkpoints.push({ ...checkpoint(4, plain, 0, compressedBytes * 8), plainOffset: plainBytes });
  const info = {
    digest: sha256(Uint8Array.of(number)),
    diffId: sha256(plain),
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    codec: "gzip",
    compressedBytes,
    plainBytes,
  };
  return { info, checkpoints, spans: SpanList.of(spans) };
}

function checkpoint(kind: number, plain: Uint8Array, plainOffset: number, compressedBitOffset: number) {
  const window = plain.slice(Math.max(0, plainOffset - 700), plainOffset);
  return {
    kind,
    plainOffset,
    compressedBitOffset,
    atHeader: kind === 0,
    blockBitOffset: undefined,
    prefixBytes: 0,
    packedWindow: packWindow({
      lengthBytes: window.length,
      runs: window.length === 0 ? new Uint32Array(0) : Uint32Array.of(0, window.length),
      bytes: window,
      blockHeader: new Uint8Array(0),
    }),
  };
}

/** An image of that tree and those layers. */
export function contents(root: TreeNode, layers: readonly LayerModel[] = [layer(0, 8192)]): ArchiveContents {
  const config = new TextEncoder().encode(`{"os":"linux","layers":${layers.length}}`);
  const manifest = new TextEncoder().encode(`{"schemaVersion":2,"config":"${sha256(config)}"}`);
  return {
    image: {
      source: `registry.example/library/some@${sha256(manifest)}`,
      platform: { os: "linux", architecture: "arm64", variant: "v8" },
      manifestDigest: sha256(manifest),
      manifestMediaType: "application/vnd.oci.image.manifest.v1+json",
      configDigest: sha256(config),
      options: { strategy: "exact", spacingBytes: 4 << 20, fileCheckpointBytes: 256 << 10 },
    },
    manifest,
    config,
    layers,
    root,
  };
}

/** Pieces joined. */
export function join(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The archive of these contents, as one array. */
export function archiveBytes(of: ArchiveContents): Uint8Array<ArrayBuffer> {
  return join(encodeArchive(of));
}

/** The archive of a tree, written and opened. */
export function openTree(root: TreeNode, layers?: readonly LayerModel[]): Promise<Archive> {
  return openArchive(memoryRangeSource(archiveBytes(contents(root, layers)), "some.clip"));
}

/** One of everything: all types, a hard link, attributes, a sparse file, names that are not UTF-8. */
export function sampleTree(): TreeNode {
  const shared = file(700, { layer: 1, plainOffset: 1536 });
  const capability = Uint8Array.of(1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0xff);
  return directory({
    bin: symlink("usr/bin"),
    dev: directory({ null: device("character", 1, 3), sda: device("block", 4095, 1_048_575), pipe: fifo() }),
    usr: directory({
      bin: directory({
        ping: file(1000, { layer: 0, plainOffset: 512 }, { xattrs: new Map([["security.capability", capability]]) }),
        sudo: { ...shared, mode: S_IFREG | 0o4755 },
        one: shared,
        two: shared,
      }),
      empty: directory({}, { mode: S_IFDIR | 0o1777, mtimeSeconds: -1, mtimeNanoseconds: 999_999_999 }),
    }),
    "caf\xe9\xff": file(0),
    sparse: file(1 << 20, [
      { layer: 0, plainOffset: 2048, fileOffset: 4096, lengthBytes: 512 },
      { layer: 0, plainOffset: 2560, fileOffset: 1 << 19, lengthBytes: 100 },
    ]),
    three: shared,
  }, { xattrs: new Map([["user.b", new Uint8Array(0)], ["user.a", Uint8Array.of(0, 255)]]) });
}

/** The layers that {@linkcode sampleTree} has its data in. */
export function sampleLayers(): LayerModel[] {
  return [layer(0, 8192), layer(1, 5000, { spanBytes: 700, spansPerCheckpoint: 3 }), layer(2, 0)];
}

/** The archive of {@linkcode sampleTree}. */
export function sampleArchive(): Uint8Array<ArrayBuffer> {
  return archiveBytes(contents(sampleTree(), sampleLayers()));
}

const LAYER_BYTES = 8192;
const safe = fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const byteString = (minLength: number, maxLength: number, not: readonly number[]) =>
  fc.array(fc.integer({ min: 1, max: 255 }).filter((byte) => !not.includes(byte)), { minLength, maxLength })
    .map((bytes) => String.fromCharCode(...bytes));
const nameOf = byteString(1, 255, [0x2f]).filter((name) => name !== "." && name !== "..");
const xattrsOf = fc.option(
  fc.uniqueArray(fc.tuple(byteString(1, 255, []), fc.uint8Array({ maxLength: 300 })), {
    selector: ([name]) => name,
    minLength: 1,
    maxLength: 4,
  }).map((pairs): TreeNode["xattrs"] => new Map(pairs.map(([name, value]) => [name, new Uint8Array(value)]))),
  { nil: undefined, freq: 3 },
);
const metadata = fc.record({
  uid: u32,
  gid: u32,
  mtimeSeconds: safe,
  mtimeNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  xattrs: xattrsOf,
});
const permissions = fc.integer({ min: 0, max: 0o7777 });
const extentsOf = fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 1, max: 900 })), {
  maxLength: 5,
}).map((runs) => {
  const extents: Extent[] = [];
  let fileOffset = 0;
  for (const [gap, lengthBytes] of runs) {
    fileOffset += gap;
    extents.push({ layer: 0, plainOffset: lengthBytes * 3, fileOffset, lengthBytes });
    fileOffset += lengthBytes;
  }
  return { sizeBytes: fileOffset + runs.length * 7, data: extents };
});
const contentsOf = fc.oneof(
  fc.constant({ sizeBytes: 0, data: undefined }),
  fc.integer({ min: 1, max: LAYER_BYTES }).chain((sizeBytes) =>
    fc.integer({ min: 0, max: LAYER_BYTES - sizeBytes }).map((plainOffset) => ({
      sizeBytes,
      data: { layer: 0, plainOffset },
    }))
  ),
  extentsOf,
);
const leaf: fc.Arbitrary<TreeNode> = fc.oneof(
  fc.tuple(permissions, contentsOf).map(([bits, of]) => ({ ...file(), ...of, mode: S_IFREG | bits })),
  byteString(1, 300, []).map(symlink),
  fc.tuple(fc.constantFrom("character" as const, "block" as const), u32, u32).map((of) => device(...of)),
  fc.constant(fifo()),
);

/** Random trees of all types of nodes, some of them under several names; their data lie in one layer of 8192 bytes. */
export const anyTree: fc.Arbitrary<TreeNode> = fc.record({
  leaves: fc.array(fc.tuple(leaf, metadata), { minLength: 1, maxLength: 12 }),
  folders: fc.array(fc.tuple(metadata, permissions), { minLength: 1, maxLength: 6 }),
  entries: fc.array(fc.tuple(fc.nat(), nameOf, fc.nat()), { maxLength: 40 }),
}).map(({ leaves, folders, entries }) => {
  const nodes = leaves.map(([node, of]) => ({ ...node, ...of }));
  const made = folders.map(([of, bits]) => directory({}, { ...of, mode: S_IFDIR | bits }));
  // Each folder but the first lies in one before it; the names of files and folders may not collide.
  made.slice(1).forEach((folder, index) => childrenOf(made[index >> 1]!).set(`folder ${index}`, folder));
  for (const [where, name, which] of entries) {
    const children = childrenOf(made[where % made.length]!);
    if (!children.has(name)) children.set(name, nodes[which % nodes.length]!);
  }
  return made[0]!;
});
