/** zstd streams of many makers. */
import * as zlib from "node:zlib";
import { concat, type ContractStream } from "../codec_contract.ts";
import { plains, textLike } from "../gzip/streams.ts";
import { SeededRandom } from "../seeded_random.ts";

/** libzstd, where the runtime brings it: Deno 2.4 has none. */
export const hasLibzstd: boolean = typeof zlib.zstdCompressSync === "function";

const { ZSTD_c_checksumFlag, ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_c_contentSizeFlag } = zlib.constants;

/** Ways to compress: libzstd's parameters. */
const WAYS: Record<string, Record<number, number>> = {
  "level −5": { [ZSTD_c_compressionLevel]: -5 },
  "level 1, sum": { [ZSTD_c_compressionLevel]: 1, [ZSTD_c_checksumFlag]: 1 },
  "level 3": { [ZSTD_c_compressionLevel]: 3 },
  "level 9, sum, no size": {
    [ZSTD_c_compressionLevel]: 9,
    [ZSTD_c_checksumFlag]: 1,
    [ZSTD_c_contentSizeFlag]: 0,
  },
  "level 19": { [ZSTD_c_compressionLevel]: 19 },
  "window of 1 KiB": { [ZSTD_c_windowLog]: 10, [ZSTD_c_compressionLevel]: 5, [ZSTD_c_contentSizeFlag]: 0 },
};

/** Sections of words of their own, as files are, a few of them seen before: blocks refer back a little here, a lot there. */
export function sections(lengthBytes: number, random: SeededRandom): Uint8Array<ArrayBuffer> {
  const pieces: Uint8Array[] = [];
  for (let bytes = 0; bytes < lengthBytes; bytes += pieces.at(-1)!.length) {
    const isNew = pieces.length === 0 || random.below(6) > 0;
    pieces.push(isNew ? textLike(20_000 + random.below(200_000), random) : pieces[random.below(pieces.length)]!);
  }
  return concat(pieces).slice(0, lengthBytes);
}

/** One frame. */
export function frame(plain: Uint8Array, params: Record<number, number> = {}): Uint8Array<ArrayBuffer> {
  return new Uint8Array(zlib.zstdCompressSync(plain, { params }));
}

/** A frame to be skipped, as the seekable format, pzstd and zstd:chunked write. */
export function skippable(content: Uint8Array, nibble = 0): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(8);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0x184d2a50 + nibble, true);
  view.setUint32(4, content.length, true);
  return concat([header, content]);
}

/** By libzstd in many ways, and sequences of frames. */
export function* libzstdStreams(): Generator<ContractStream> {
  if (!hasLibzstd) return;
  for (const { name, plain } of plains()) {
    for (const [how, params] of Object.entries(WAYS)) {
      yield { name: `${name}, ${how}`, plain, compressed: frame(plain, params) };
    }
  }
  const random = new SeededRandom(31);
  const parts = [70_000, 0, 3, 0, 120_000, 9_000, 1, 65_536].map((length) => textLike(length, random));
  const plain = concat(parts);
  yield { name: "frames of all lengths", plain, compressed: concat(parts.map((part) => frame(part))) };
  const framed = parts.flatMap((part, i) => [skippable(random.bytes(i * 5), i), frame(part)]);
  yield { name: "skippable frames before each", plain, compressed: concat(framed) };
  yield {
    name: "skippable frames behind each",
    plain,
    compressed: concat([...framed.slice(1), skippable(Uint8Array.of(1))]),
  };
}

/** A frame of blocks given as [type, size, content], written by hand: no library is needed for these. */
export function handmadeFrame(
  blocks: readonly (readonly [number, number, Uint8Array])[],
  { descriptor = 0x00, after = [0x58] }: { descriptor?: number; after?: readonly number[] } = {},
): Uint8Array<ArrayBuffer> {
  const pieces: Uint8Array[] = [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, descriptor, ...after)];
  blocks.forEach(([type, size, content], i) => {
    const header = (i === blocks.length - 1 ? 1 : 0) | (type << 1) | (size << 3);
    pieces.push(Uint8Array.of(header & 0xff, (header >> 8) & 0xff, header >> 16), content);
  });
  return concat(pieces);
}

/** Raw and repeated blocks, in one frame and several. */
export function* handmadeStreams(): Generator<ContractStream> {
  const random = new SeededRandom(32);
  const bytes = random.bytes(100_000);
  const raw = handmadeFrame([[0, bytes.length, bytes], [1, 70_000, Uint8Array.of(7)], [0, 0, new Uint8Array(0)]]);
  const plain = concat([bytes, new Uint8Array(70_000).fill(7)]);
  yield { name: "raw and repeated blocks", plain, compressed: raw };
  yield { name: "the same thrice", plain: concat([plain, plain, plain]), compressed: concat([raw, raw, raw]) };
  yield { name: "nothing", plain: new Uint8Array(0), compressed: handmadeFrame([[0, 0, new Uint8Array(0)]]) };
  const skipped = skippable(random.bytes(70_000), 15);
  yield { name: "a long skippable frame first", plain, compressed: concat([skipped, raw]) };
}
