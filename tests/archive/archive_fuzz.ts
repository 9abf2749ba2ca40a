/** Archives with random damage under right digests: each is refused with a CorruptError, or sound through and through. */
import assert from "node:assert/strict";
import { CorruptError } from "../../src/base/mod.ts";
import {
  type Archive,
  encodeProfile,
  openArchive,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  SPARSE_LAYER,
} from "../../src/archive/mod.ts";
import type { SeededRandom } from "../codec/seeded_random.ts";
import type { FuzzTarget } from "../fuzz/fuzz_target.ts";
import { walkFileSystem } from "./walk_file_system.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import { sampleArchive } from "./model_builder.ts";
import { type Sections, sectionsOf, signedArchive } from "./signed.ts";

const TARGETS = [
  "image",
  "checkpoints",
  "spans",
  "inodes",
  "dirents",
  "names",
  "targets",
  "extents",
  "xattrs",
  "profile",
  "windows",
] as const;
const ODD_VALUES = [0, 1, 2, 8, 255, 256, 4095, 4096, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** Does one thing to one section; says what. */
function damage(sections: Sections, random: SeededRandom): string {
  const name = TARGETS[random.below(TARGETS.length)]!;
  const section = sections[name]!;
  const view = new DataView(section.buffer);
  const word = random.below(section.length >> 2) * 4;
  const which = random.below(section.length < 4 ? 2 : 8);
  if (which === 0) {
    const length = random.below(section.length + 1);
    sections[name] = section.slice(0, length);
    return `${name} cut to ${length}`;
  }
  if (which === 1) {
    const more = random.bytes(1 + random.below(80));
    sections[name] = new Uint8Array([...section, ...more]);
    return `${name} longer by ${more.length}`;
  }
  if (which === 2) {
    const at = random.below(section.length);
    section[at]! ^= 1 << random.below(8);
    return `${name}[${at}] one bit`;
  }
  const before = view.getUint32(word, true);
  const other = view.getUint32(random.below(section.length >> 2) * 4, true);
  const odd = ODD_VALUES[random.below(ODD_VALUES.length)]!;
  const value = which < 4 ? odd : which < 6 ? (before + random.below(5) - 2) >>> 0 : which < 7 ? other : random.u32();
  view.setUint32(word, value, true);
  return `${name}[${word}] ${before} → ${value}`;
}

/** Reads all there is of an archive that has been accepted. */
export async function useAll(archive: Archive): Promise<void> {
  const { tree, layers } = archive;
  walkFileSystem(archive);
  let work = 0;
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    const type = tree.columns.mode[inode]! & S_IFMT;
    assert.ok(Number.isSafeInteger(tree.sizeBytes(inode)) && Number.isSafeInteger(tree.mtimeSeconds(inode)));
    assert.equal(tree.find(tree.path(inode), { followLast: false }), inode);
    for (const { name, value } of tree.xattrs(inode)) work += name.length + value.length;
    if (type === S_IFDIR) {
      for (const { inode: child } of tree.children(inode)) assert.ok(child > 1 && child <= tree.inodeCount);
      assert.equal(tree.type(tree.columns.parent[inode]!), S_IFDIR);
    } else if (type === S_IFLNK) {
      assert.equal(tree.target(inode).length, tree.sizeBytes(inode));
      tree.find(tree.path(inode));
    } else if (type === S_IFREG && tree.columns.layer[inode] === SPARSE_LAYER) {
      for (const { layer, plainOffset, lengthBytes } of tree.extents(inode)) {
        expectSpans(archive, layer, plainOffset, lengthBytes);
      }
    } else if (type === S_IFREG && tree.sizeBytes(inode) > 0) {
      expectSpans(archive, tree.columns.layer[inode]!, tree.plainOffset(inode), tree.sizeBytes(inode));
    }
    assert.ok(work < 1e6, "reading a small archive is little work");
  }
  for (const { layer, plainOffset, plainEndExclusive } of archive.profile) {
    expectSpans(archive, layer, plainOffset, plainEndExclusive - plainOffset);
  }
  for (let layer = 0; layer < layers.layerCount; layer++) {
    for (let index = layers.firstCheckpoint[layer]!; index < layers.firstCheckpoint[layer + 1]!; index++) {
      await archive.window(index).catch(expectCorrupt);
    }
  }
}

/** Each byte of a file's data lies in a span, and that in a checkpoint's reach. */
function expectSpans({ layers }: Archive, layer: number, plainOffset: number, lengthBytes: number): void {
  for (const at of [plainOffset, plainOffset + lengthBytes - 1]) {
    const span = layers.spanAt(layer, at);
    assert.ok(span >= layers.firstSpan[layer]! && span < layers.firstSpan[layer + 1]!);
    assert.ok(layers.spanOffsets[span]! <= at && at < layers.spanEnd(layer, span));
    const checkpoint = layers.spanCheckpoint(layer, span);
    assert.ok(checkpoint >= layers.firstCheckpoint[layer]! && checkpoint + 1 < layers.firstCheckpoint[layer + 1]!);
    assert.ok(layers.checkpoint(checkpoint).plainOffset <= layers.spanOffsets[span]!);
  }
}

function expectCorrupt(error: unknown): void {
  if (!(error instanceof CorruptError)) throw error;
}

/** Archives, one to three things wrong in their sections; those that are accepted are read and served whole. */
export const archiveFuzz: FuzzTarget = {
  name: "archive",
  prepare() {
    const sample = sectionsOf(sampleArchive());
    const ranges = [0, 1, 0].map((layer, i) => ({ layer, plainOffset: 100 * i, plainEndExclusive: 100 * i + 150 }));
    sample.profile = encodeProfile(ranges);
    return async (random) => {
      const sections = Object.fromEntries(
        Object.entries(sample).map(([name, bytes]) => [name, bytes.slice()]),
      ) as Sections;
      const done = Array.from({ length: 1 + random.below(3) }, () => damage(sections, random));
      try {
        await useAll(await openArchive(memoryRangeSource(signedArchive(sections), "some.clip")));
        return { accepted: true };
      } catch (error) {
        if (error instanceof CorruptError) return { accepted: false };
        throw new Error(done.join("; "), { cause: error });
      }
    };
  },
};
