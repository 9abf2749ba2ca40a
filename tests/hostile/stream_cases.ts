/** Layers whose compressed stream is wrong, or too much. */
import { gzipSync } from "node:zlib";
import { KIB, MIB, sha256 } from "../../src/base/mod.ts";
import { handmadeFrame, skippable } from "../codec/zstd/streams.ts";
import { join, tar, tarEntry } from "../tar/tar_builder.ts";
import { type HostileCase, layerCase, layerOf, repeatedMembers, ZSTD_LAYER } from "./hostile_case.ts";

const PLAIN = tar(tarEntry({ path: "a", data: "x".repeat(5000) }));
const GZIP = new Uint8Array(gzipSync(PLAIN));
const ZSTD = handmadeFrame([[0, PLAIN.length, PLAIN]]);
const GARBAGE = Uint8Array.from({ length: 600 }, (_, i) => (i * 89) & 0xff);

function gzipOf(blob: Uint8Array, plain = PLAIN) {
  return () => ({ blob, plain });
}

function zstdOf(blob: Uint8Array, plain = PLAIN) {
  return () => ({ blob, plain, mediaType: ZSTD_LAYER });
}

/** The header of a file of `sizeBytes`, without its data. */
function fileHeader(sizeBytes: number): Uint8Array {
  return tarEntry({ path: "zeros", size: sizeBytes });
}

/** Each of one image. */
export const STREAM_CASES: readonly HostileCase[] = [
  layerCase(
    "gzip cut short",
    /layer 0: gzip: bad .* found the end of the stream.*/,
    gzipOf(GZIP.subarray(0, GZIP.length - 9)),
  ),
  layerCase(
    "gzip without its trailer",
    /layer 0: gzip: bad .* found the end of the stream.*/,
    gzipOf(GZIP.subarray(0, GZIP.length - 8)),
  ),
  layerCase(
    "gzip with another CRC-32",
    /layer 0: gzip: bad CRC-32 at byte \d+: found \w+, expected \w+/,
    gzipOf(flipped(GZIP, GZIP.length - 6)),
  ),
  layerCase(
    "gzip with another length",
    /layer 0: gzip: bad length at byte \d+: found \d+, expected \d+/,
    gzipOf(flipped(GZIP, GZIP.length - 2)),
  ),
  layerCase(
    "a second member that is cut short",
    /layer 0: gzip: bad .* found the end of the stream.*/,
    gzipOf(join(GZIP, GZIP.subarray(0, 15))),
  ),
  layerCase(
    "a gzip header with reserved bits",
    /layer 0: gzip: bad flags at byte 3: found 0xe0, expected reserved bits 5 to 7 clear/,
    gzipOf(flipped(GZIP, 3, 0xe0)),
  ),
  layerCase(
    "a deflate block of no type",
    /layer 0: gzip: bad .*/,
    gzipOf(join(GZIP.subarray(0, 10), Uint8Array.of(7, 0, 0))),
  ),
  layerCase(
    "zstd cut short",
    /layer 0: zstd: bad block at byte 6565: found the end of the stream within the frame at byte 0/,
    zstdOf(ZSTD.subarray(0, ZSTD.length - 100)),
  ),
  layerCase(
    "garbage behind zstd",
    /layer 0: zstd: bad magic at byte 6665: found 0x0bb25900, expected 0xfd2fb528/,
    zstdOf(join(ZSTD, GARBAGE)),
  ),
  layerCase(
    "a skippable frame longer than the stream",
    /layer 0: zstd: bad skippable frame at byte 6765: found the end of the stream within the frame at byte 6665/,
    zstdOf(join(ZSTD, skippable(GARBAGE).subarray(0, 100))),
  ),
  layerCase(
    "a zstd window of terabytes",
    /layer 0: zstd: the frame at byte 0 has a window of 2\.00 TiB; clip goes to 128\.0 MiB/,
    zstdOf(handmadeFrame([[0, 1, GARBAGE.subarray(0, 1)]], { after: [0xf8] })),
  ),
  layerCase(
    "a zstd dictionary",
    /layer 0: zstd: the frame at byte 0 needs a dictionary, and layers have none/,
    zstdOf(handmadeFrame([[0, 0, GARBAGE.subarray(0, 0)]], { descriptor: 1, after: [0x58, 9] })),
  ),
  layerCase(
    "a zstd block of no type",
    /layer 0: zstd: bad block type at byte 6: found 3, expected 0 to 2/,
    zstdOf(handmadeFrame([[3, 9, GARBAGE.subarray(0, 9)]])),
  ),
  layerCase(
    "a tar cut short in a header",
    /layer 0: tar: bad header at byte 0: found the end of the stream at byte 200/,
    gzipOf(gzipSync(PLAIN.subarray(0, 200)), PLAIN.subarray(0, 200)),
  ),
  layerCase(
    "a tar cut short in a file",
    /layer 0: tar: bad data at byte 0: found the end of the stream at byte 2000/,
    gzipOf(gzipSync(PLAIN.subarray(0, 2000)), PLAIN.subarray(0, 2000)),
  ),
  layerCase(
    "no tar at all",
    /layer 0: tar: bad chksum at byte 0: found ".*", expected an octal number/,
    gzipOf(gzipSync(GARBAGE), GARBAGE),
  ),
  layerCase(
    "neither gzip nor zstd nor tar",
    /layer 0: gzip: bad magic at byte 0: found 0x00, expected 0x1f/,
    gzipOf(GARBAGE),
  ),
  layerCase(
    "another diff_id",
    /layer 0: uncompressed layer: digest mismatch: found sha256:…, expected sha256:…/,
    () => ({ ...layerOf({ path: "a" }), diffId: sha256(GARBAGE) }),
  ),
  layerCase("another digest", /layer 0: cannot read \S+: it does not exist/, () => {
    const other = layerOf({ path: "b" }).blob;
    return { blob: GZIP, plain: PLAIN, descriptor: { digest: sha256(other), size: other.length } };
  }),
  layerCase(
    "a size that lies",
    /layer 0: \S+ has 101 bytes, expected 102/,
    () => ({ blob: GZIP, plain: PLAIN, descriptor: { size: GZIP.length + 1 } }),
  ),
  layerCase(
    "a size of 2^52",
    /layer 0: \S+ has 101 bytes, expected 4503599627370496/,
    () => ({ blob: GZIP, plain: PLAIN, descriptor: { size: 2 ** 52 } }),
  ),
];

/** Those that are much to read: time and memory are looked at. */
export const BOMB_CASES: readonly HostileCase[] = [
  layerCase(
    "a gzip bomb: 1 GiB of zeros in 1 MiB",
    /layer 0: unpacks to more than 100\.0 MiB, the --max-layer-size/,
    () => ({ blob: repeatedMembers(fileHeader(1024 * MIB), new Uint8Array(16 * MIB), 64) }),
    ["--max-layer-size", "100MiB"],
  ),
  layerCase(
    "a zstd bomb: 1 GiB of zeros in 32 KiB",
    /layer 0: unpacks to more than 100\.0 MiB, the --max-layer-size/,
    () => {
      const blocks = Array.from({ length: 8192 }, () => [1, 128 * KIB, Uint8Array.of(0)] as const);
      const header = fileHeader(1024 * MIB);
      return { blob: handmadeFrame([[0, header.length, header], ...blocks]), mediaType: ZSTD_LAYER };
    },
    ["--max-layer-size", "100MiB"],
  ),
  layerCase(
    "300,000 entries of few names",
    /layer 0: more than 200000 files and directories \(--max-entries.*\)/,
    () => ({ blob: repeatedMembers(tarEntry({ path: "d/", type: "5" }), join(...manyFiles(2000)), 150) }),
    ["--max-entries", "200000"],
  ),
  layerCase(
    "600,000 directories that no entry is for",
    /more than 500000 files and directories \(--max-entries.*\)/,
    () => layerOf(...deepPaths(300)),
    ["--max-entries", "500000"],
  ),
];

function manyFiles(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => tarEntry({ path: `d/${i}` }));
}

/** Directories 2,000 deep, which have nothing in common. */
function deepPaths(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const path = `${i}/${"d/".repeat(2000)}`;
    return join(
      tarEntry({ path: "././@LongLink", type: "L", format: "gnu", data: `${path}\0` }),
      tarEntry({ path: "d", type: "5", format: "gnu" }),
    );
  });
}

function flipped(bytes: Uint8Array, at: number, bits = 1): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[at]! ^= bits;
  return copy;
}
