/** Mutated layers, all the way: scanned, merged, written as an archive, opened, and served. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { ClipError, equalBytes } from "../../src/base/mod.ts";
import { type Archive, S_IFREG, SPARSE_LAYER } from "../../src/archive/mod.ts";
import { useAll } from "../archive/archive_fuzz.ts";
import type { SeededRandom } from "../codec/seeded_random.ts";
import type { FuzzTarget } from "../fuzz/fuzz_target.ts";
import { contents, scanTar } from "../tar/scan_tar.ts";
import { mutateTar, seedArchive } from "../tar/tar_fuzz.ts";
import { join, longHeader, tar, tarEntry } from "../tar/tar_builder.ts";
import { archiveOf, GZIP_LAYER, type MemoryLayer, SMALL_SPANS, TAR_LAYER } from "./memory_image.ts";

const NAMES = [
  "a",
  "b",
  "d",
  "d/e",
  "./d",
  "l",
  "l/x",
  ".wh.a",
  "d/.wh..wh..opq",
  "d//e/f",
  "\xff\x80",
  "d/",
  "d/.wh.e",
];
/** Mostly refused. */
const BAD_NAMES = ["..", "/", ".wh.", "a/../b", "/../a", "x/".repeat(4097)];
const TYPES = "0000001255553";

/** Entries with few names between them, so that they meet: files below links, links to whiteouts, and all else. */
function meetingEntries(random: SeededRandom): Uint8Array<ArrayBuffer> {
  const name = () => {
    const names = random.below(100) === 0 ? BAD_NAMES : NAMES;
    return names[random.below(names.length)]!;
  };
  const entries = Array.from({ length: 1 + random.below(12) }, () => {
    const type = TYPES[random.below(TYPES.length)]!;
    const path = random.below(3) === 0 ? `${name()}/${name()}` : name();
    const data = type === "0" ? "x".repeat(random.below(3) * 300) : "";
    if (path.length > 100) return join(longHeader(path), tarEntry({ path: "long" }));
    const linkName = type === "1" || type === "2" ? name().slice(0, 100) : "";
    return tarEntry({ path, type, data, linkName, mode: random.below(0o10000) });
  });
  return tar(join(...entries));
}

function layer(plain: Uint8Array, random: SeededRandom): MemoryLayer {
  return random.below(2) === 0
    ? { plain, blob: plain, mediaType: TAR_LAYER }
    : { plain, blob: gzipSync(plain, { level: 1 }), mediaType: GZIP_LAYER };
}

/** Every plain file of the tree has the bytes of some entry of its layer, at the place where that entry has them. */
function checkFiles({ tree }: Archive, layers: readonly MemoryLayer[]): void {
  const places = layers.map(({ plain }) => {
    const { entries } = scanTar([plain]);
    return new Map(entries.filter(({ kind }) => kind === "file").map((entry) => [entry.dataPlainOffset, entry]));
  });
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    const number = tree.columns.layer[inode]!;
    if (tree.type(inode) !== S_IFREG || tree.sizeBytes(inode) === 0 || number === SPARSE_LAYER) continue;
    const at = tree.plainOffset(inode);
    const entry = places[number]!.get(at);
    assert(entry !== undefined, `inode ${inode} is of no entry`);
    assert.equal(tree.sizeBytes(inode), entry.sizeBytes);
    assert.equal(tree.columns.mode[inode]! & 0o7777, entry.mode);
    const { plain } = layers[number]!;
    assert(equalBytes(plain.subarray(at, at + entry.sizeBytes), contents(plain, entry)));
  }
}

/** One to three layers, some of damaged headers, some of sound ones that contradict each other. */
export const layerFuzz: FuzzTarget = {
  name: "layer",
  prepare() {
    const archive = seedArchive();
    return async (random) => {
      const layers = Array.from({ length: 1 + random.below(3) }, () => {
        const plain = random.below(3) === 0 ? mutateTar(archive, random) : meetingEntries(random);
        return layer(plain, random);
      });
      try {
        const { archive } = await archiveOf(layers, SMALL_SPANS);
        await useAll(archive);
        checkFiles(archive, layers);
        return { accepted: true };
      } catch (error) {
        if (!(error instanceof ClipError)) throw error;
        assert(["corrupt", "unsupported", "limit"].includes(error.code), String(error));
        assert(!/\p{Cc}/u.test(error.message) && error.message.length < 2000, JSON.stringify(error.message));
        return { accepted: false };
      }
    };
  },
};
