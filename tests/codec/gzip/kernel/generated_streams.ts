/** Raw deflate streams drawn at random: what compressors write, and all that the format allows besides. */
import { constants, deflateRawSync } from "node:zlib";
import { concat } from "../../codec_contract.ts";
import { DeflateWriter } from "../../deflate_writer.ts";
import type { SeededRandom } from "../../seeded_random.ts";
import { textLike } from "../streams.ts";

/** Source: RFC 1951, 3.2.7. */
const PRECODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/** Source: RFC 1951, 3.2.5. */
const LENGTH_BASES = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131];
const LENGTH_BASES_REST = [163, 195, 227, 258];
const LENGTHS: readonly number[] = [...LENGTH_BASES, ...LENGTH_BASES_REST];
const DISTANCES: readonly number[] = Array.from(
  { length: 30 },
  (_, i) => i < 4 ? i + 1 : ((2 + (i & 1)) << ((i >> 1) - 1)) + 1,
);
const lengthExtraBits = (i: number): number => i < 8 || i === 28 ? 0 : (i >> 2) - 1;
const distanceExtraBits = (i: number): number => i < 4 ? 0 : (i >> 1) - 1;

/** A canonical code: lengths and values of its symbols. */
interface Code {
  readonly lengths: readonly number[];
  readonly codes: readonly number[];
  readonly used: readonly number[];
}

function codeOf(lengths: readonly number[]): Code {
  const codes = new Array<number>(lengths.length).fill(0);
  let code = 0;
  for (let length = 1; length < 16; length++) {
    lengths.forEach((l, symbol) => {
      if (l === length) codes[symbol] = code++;
    });
    code <<= 1;
  }
  return { lengths, codes, used: lengths.flatMap((l, symbol) => l === 0 ? [] : [symbol]) };
}

/** The index of the deepest leaf that is less deep than `maxBits`. */
function deepest(leaves: readonly number[], maxBits: number): number {
  let found = 0;
  leaves.forEach((leaf, i) => {
    if (leaf < maxBits && (leaf > leaves[found]! || leaves[found]! >= maxBits)) found = i;
  });
  return found;
}

/** Lengths of a complete code of `used` symbols out of `symbolCount`, at most `maxBits`; `must` is among them. */
function completeLengths(
  random: SeededRandom,
  { symbolCount, used, maxBits, must }: { symbolCount: number; used: number; maxBits: number; must?: number },
): number[] {
  const leaves = [0];
  // Splitting the deepest leaves now and then makes codes that reach 15 bits.
  const deep = random.below(3) === 0;
  while (leaves.length < used) {
    const at = deep && random.below(4) !== 0 ? deepest(leaves, maxBits) : -1;
    const leaf = at >= 0 ? at : random.below(leaves.length);
    if (leaves[leaf]! >= maxBits) continue;
    leaves[leaf]!++;
    leaves.push(leaves[leaf]!);
  }
  if (used === 1) leaves[0] = 1;
  const lengths = new Array<number>(symbolCount).fill(0);
  const free = Array.from({ length: symbolCount }, (_, i) => i);
  for (const leaf of leaves) {
    const wantsMust = must !== undefined && lengths[must] === 0;
    const symbol = wantsMust ? must : free[random.below(free.length)]!;
    free.splice(free.indexOf(symbol), 1);
    lengths[symbol] = leaf;
  }
  return lengths;
}

function putCode(writer: DeflateWriter, { codes, lengths }: Code, symbol: number): void {
  for (let bit = lengths[symbol]! - 1; bit >= 0; bit--) writer.bits((codes[symbol]! >> bit) & 1, 1);
}

/** The header of a block with these codes, repeats written as 16, 17 and 18 now and then. */
function putDynamicHeader(
  writer: DeflateWriter,
  random: SeededRandom,
  { litlen, distance, final }: { litlen: readonly number[]; distance: readonly number[]; final: boolean },
): void {
  writer.bits(final ? 1 : 0, 1).bits(2, 2);
  const all = [...litlen, ...distance];
  const precode = codeOf(completeLengths(random, { symbolCount: 19, used: 19, maxBits: 7 }));
  writer.bits(litlen.length - 257, 5).bits(distance.length - 1, 5).bits(15, 4);
  for (const symbol of PRECODE_ORDER) writer.bits(precode.lengths[symbol]!, 3);
  for (let at = 0; at < all.length;) {
    let run = 1;
    while (at + run < all.length && all[at + run] === all[at]) run++;
    const value = all[at]!;
    if (value === 0 && run >= 11 && random.below(8) !== 0) {
      run = Math.min(run, 138);
      putCode(writer, precode, 18);
      writer.bits(run - 11, 7);
    } else if (value === 0 && run >= 3 && random.below(8) !== 0) {
      run = Math.min(run, 10);
      putCode(writer, precode, 17);
      writer.bits(run - 3, 3);
    } else if (at > 0 && all[at - 1] === value && run >= 3 && random.below(8) !== 0) {
      run = Math.min(run, 6);
      putCode(writer, precode, 16);
      writer.bits(run - 3, 2);
    } else {
      run = 1;
      putCode(writer, precode, value);
    }
    at += run;
  }
}

/** One block with codes drawn at random, of valid symbols; how many plain bytes there are after it. */
function putDynamicBlock(
  writer: DeflateWriter,
  random: SeededRandom,
  { plainBytes, mostSymbols, final }: { plainBytes: number; mostSymbols: number; final: boolean },
): number {
  const litlenCount = 257 + random.below(30);
  const distanceCount = 1 + random.below(30);
  const litlen = codeOf(completeLengths(random, {
    symbolCount: litlenCount,
    used: 1 + random.below(random.below(2) === 0 ? 20 : litlenCount),
    maxBits: 15,
    must: 256,
  }));
  const distance = codeOf(completeLengths(random, {
    symbolCount: distanceCount,
    used: random.below(12) === 0 ? 1 : 1 + random.below(distanceCount),
    maxBits: 15,
  }));
  putDynamicHeader(writer, random, { litlen: litlen.lengths, distance: distance.lengths, final });
  const literals = litlen.used.filter((symbol) => symbol < 256);
  const lengths = litlen.used.filter((symbol) => symbol > 256);
  let made = plainBytes;
  for (let count = random.below(random.below(4) === 0 ? mostSymbols : 100); count > 0; count--) {
    const reachable = distance.used.filter((symbol) => DISTANCES[symbol]! <= made);
    if (lengths.length > 0 && reachable.length > 0 && (literals.length === 0 || random.below(3) !== 0)) {
      const length = lengths[random.below(lengths.length)]! - 257;
      const extra = random.below(1 << lengthExtraBits(length));
      const symbol = reachable[random.below(reachable.length)]!;
      const room = Math.min(1 << distanceExtraBits(symbol), made - DISTANCES[symbol]! + 1);
      putCode(writer, litlen, length + 257);
      writer.bits(extra, lengthExtraBits(length));
      putCode(writer, distance, symbol);
      writer.bits(random.below(6) === 0 ? room - 1 : random.below(room), distanceExtraBits(symbol));
      made += LENGTHS[length]! + extra;
    } else if (literals.length > 0) {
      putCode(writer, litlen, literals[random.below(literals.length)]!);
      made++;
    }
    if (made > 150_000) break;
  }
  putCode(writer, litlen, 256);
  return made;
}

/** A stream of blocks of all types, valid, at most about 400,000 plain bytes; a few hundred compressed if `small`. */
export function drawnStream(random: SeededRandom, small = false): Uint8Array {
  const writer = new DeflateWriter();
  let made = 0;
  for (let blocks = 1 + random.below(6); blocks > 0; blocks--) {
    const final = blocks === 1;
    const type = random.below(6);
    if (type === 0) {
      const bytes = random.bytes(!small && random.below(8) === 0 ? 40_000 : random.below(300));
      writer.stored(bytes, final);
      made += bytes.length;
    } else if (type === 1) {
      writer.fixed(final);
      for (let count = random.below(200); count > 0; count--) {
        if (made >= 32_768 && random.below(4) === 0) {
          writer.copyFarthest();
          made += 258;
        } else {
          writer.symbol(random.below(256));
          made++;
        }
      }
      writer.endOfBlock();
    } else if (made < 150_000) {
      made = putDynamicBlock(writer, random, { plainBytes: made, mostSymbols: small ? 300 : 3000, final });
    } else writer.fixed(final).endOfBlock();
  }
  return writer.deflate;
}

/** A block whose codes are spoilt, or whose symbols are noise: refused, truncated or, rarely, complete. */
export function spoiltStream(random: SeededRandom): Uint8Array {
  const writer = new DeflateWriter();
  if (random.below(2) === 0) writer.stored(random.bytes(random.below(600)));
  const kind = random.below(4);
  if (kind === 0) writer.fixed(random.below(2) === 0);
  else {
    const litlen = completeLengths(random, {
      symbolCount: 257 + random.below(32),
      used: 1 + random.below(40),
      maxBits: 15,
      must: 256,
    });
    const distance = completeLengths(random, { symbolCount: 1 + random.below(32), used: 1, maxBits: 15 });
    for (let count = random.below(3); count > 0; count--) {
      const spoilt = random.below(2) === 0 ? litlen : distance;
      spoilt[random.below(spoilt.length)] = random.below(16);
    }
    putDynamicHeader(writer, random, { litlen, distance, final: random.below(2) === 0 });
  }
  return concat([writer.deflate, random.bytes(random.below(400))]);
}

/** A stream that node:zlib makes with options drawn at random; of at most 3,000 plain bytes if `small`. */
export function compressedStream(random: SeededRandom, small = false): Uint8Array {
  const length = small ? random.below(3000) : random.below(5) === 0 ? random.below(150_000) : random.below(9000);
  const plain = [textLike, (n: number) => random.bytes(n), (n: number) => new Uint8Array(n)][
    Math.max(0, random.below(5) - 2)
  ]!(length, random);
  return deflateRawSync(plain, {
    level: random.below(10),
    memLevel: 1 + random.below(9),
    strategy: [
      constants.Z_DEFAULT_STRATEGY,
      constants.Z_FILTERED,
      constants.Z_HUFFMAN_ONLY,
      constants.Z_RLE,
      constants.Z_FIXED,
    ][random.below(5)]!,
  });
}

/** `bytes` with a few changes: bits, bytes, pieces moved, zeros, an end cut off. */
export function mutate(bytes: Uint8Array, random: SeededRandom): Uint8Array<ArrayBuffer> {
  const mutated = new Uint8Array(bytes);
  const early = () => Math.min(random.below(mutated.length), random.below(mutated.length));
  for (let count = 1 + random.below(3); count > 0; count--) {
    switch (random.below(7)) {
      case 0:
        mutated[early()] = random.below(256);
        break;
      case 1:
      case 2:
        mutated[early()]! ^= 1 << random.below(8);
        break;
      case 3:
        mutated[random.below(Math.min(mutated.length, 100))]! ^= 1 << random.below(8);
        break;
      case 4:
        mutated.copyWithin(early(), random.below(mutated.length), mutated.length);
        break;
      case 5:
        mutated.fill(random.below(2) * 255, mutated.length - random.below(12));
        break;
      default:
        return mutated.slice(0, 1 + random.below(mutated.length));
    }
  }
  return mutated;
}
