/** gzip streams of many makers, for the contract and the fuzzing. */
import { constants, deflateRawSync, gzipSync, type ZlibOptions } from "node:zlib";
import { concat, type ContractStream } from "../codec_contract.ts";
import { DeflateWriter, gzipMember } from "../deflate_writer.ts";
import { SeededRandom } from "../seeded_random.ts";

/** Words, numbers and repeats, which compress about as well as programs do. */
export function textLike(length: number, random: SeededRandom): Uint8Array<ArrayBuffer> {
  const words = Array.from({ length: 400 }, () => random.bytes(2 + random.below(9)));
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const word = random.below(30) === 0 ? random.bytes(20) : words[Math.min(random.below(400), random.below(400))]!;
    bytes.set(word.subarray(0, length - at), at);
    at += word.length;
  }
  return bytes;
}

/** The plain bytes that every maker is given. */
export function plains(): { name: string; plain: Uint8Array }[] {
  const random = new SeededRandom(7);
  const block = random.bytes(32_000);
  return [
    { name: "empty", plain: new Uint8Array(0) },
    { name: "one byte", plain: Uint8Array.of(42) },
    { name: "text", plain: textLike(260_000, random) },
    { name: "long text", plain: textLike(900_000, random) },
    { name: "zeros", plain: new Uint8Array(800_000) },
    { name: "random", plain: random.bytes(200_000) },
    { name: "far repeats", plain: concat([block, random.bytes(500), block, random.bytes(300), block, block]) },
  ];
}

const NODE_OPTIONS: Record<string, ZlibOptions> = {
  "level 0": { level: 0 },
  "level 1": { level: 1 },
  "level 6": { level: 6 },
  "level 9": { level: 9 },
  "tiny blocks": { level: 6, memLevel: 1 },
  "huffman only": { strategy: constants.Z_HUFFMAN_ONLY },
  "fixed codes": { strategy: constants.Z_FIXED },
  "run lengths": { strategy: constants.Z_RLE },
};

/** All plain bytes by node:zlib in all its ways. */
export function* nodeStreams(): Generator<ContractStream> {
  for (const { name, plain } of plains()) {
    for (const [how, options] of Object.entries(NODE_OPTIONS)) {
      if (plain.length > 500_000 && !["level 0", "level 6"].includes(how)) continue;
      yield { name: `${name}, ${how}`, plain, compressed: gzipSync(plain, options) };
    }
  }
}

/** Member sequences, headers with every field, and blocks that no compressor makes. */
export function* handmadeStreams(): Generator<ContractStream> {
  const random = new SeededRandom(8);
  const parts = [70_000, 0, 3, 0, 120_000, 9_000, 1, 65_536].map((length) => textLike(length, random));
  yield {
    name: "members of all lengths",
    plain: concat(parts),
    compressed: concat(parts.map((part) => gzipSync(part, { level: random.below(10) }))),
  };
  const short = Array.from({ length: 300 }, () => textLike(random.below(1500), random));
  yield { name: "hundreds of short members", plain: concat(short), compressed: concat(short.map((p) => gzipSync(p))) };
  yield {
    name: "empty members only",
    plain: new Uint8Array(0),
    compressed: concat([0, 1, 2].map(() => gzipSync(new Uint8Array(0)))),
  };
  const headers = [
    { extra: random.bytes(300), name: "layer.tar", comment: "a comment", headerCrc: true, text: true },
    { extra: new Uint8Array(0), headerCrc: true },
    { headerCrc: true },
    { name: "", comment: "" },
    { extra: random.bytes(65535), comment: "c".repeat(5000) },
  ];
  yield {
    name: "headers with every field",
    plain: concat(headers.map(() => parts[5]!)),
    compressed: concat(headers.map((header) => gzipMember(deflateRawSync(parts[5]!), parts[5]!, header))),
  };
  yield farthestCopies(random);
  yield emptyBlocks(random);
  const padded = concat([gzipSync(parts[0]!), new Uint8Array(10_240)]);
  yield { name: "zero padding", plain: parts[0]!, compressed: padded };
}

/** Each block's first symbol copies from 32,768 bytes back: the oldest byte a window can hold. */
function farthestCopies(random: SeededRandom): ContractStream {
  const writer = new DeflateWriter();
  const first = random.bytes(32_768);
  writer.stored(first);
  const pieces = [first];
  let plain = first;
  for (let i = 0; i < 40; i++) {
    writer.fixed(i === 39).copyFarthest();
    const copied = plain.slice(plain.length - 32_768, plain.length - 32_768 + 258);
    pieces.push(copied);
    const literal = random.below(256);
    writer.symbol(literal).endOfBlock();
    pieces.push(Uint8Array.of(literal));
    plain = concat(pieces);
  }
  return { name: "distance 32768", plain, compressed: gzipMember(writer.deflate, plain) };
}

/** Empty blocks of both kinds between the others, as flushes make, and an empty final one. */
function emptyBlocks(random: SeededRandom): ContractStream {
  const writer = new DeflateWriter();
  const pieces: Uint8Array[] = [];
  for (let i = 0; i < 50; i++) {
    for (let empty = random.below(4); empty > 0; empty--) {
      if (random.below(2) === 0) writer.stored(new Uint8Array(0));
      else writer.fixed().endOfBlock();
    }
    const piece = random.bytes(random.below(6000));
    writer.stored(piece);
    pieces.push(piece);
  }
  writer.fixed(true).endOfBlock();
  const plain = concat(pieces);
  return { name: "empty blocks", plain, compressed: gzipMember(writer.deflate, plain) };
}

const COMMANDS: [command: string, ...args: string[]][] = [
  ["gzip", "-1"],
  ["gzip", "-9"],
  ["pigz", "-p", "2", "-b", "128"],
  ["pigz", "-i", "-b", "128"],
  ["igzip", "-0"],
  ["igzip", "-1"],
  ["igzip", "-3"],
  ["libdeflate-gzip", "-6"],
  ["libdeflate-gzip", "-12"],
];

/** The longer plain bytes by each compression program that is installed; says which are not. */
export function* commandStreams(): Generator<ContractStream> {
  for (const [command, ...args] of COMMANDS) {
    for (const { name, plain } of plains()) {
      if (plain.length < 200_000 || (args.includes("-12") && plain.length > 300_000)) continue;
      const compressed = runFilter(command, [...args, "-c"], plain);
      if (compressed === undefined) {
        // deno-lint-ignore no-console -- a skip says why
        console.log(`skipped: ${command} is not installed`);
        break;
      }
      yield { name: `${name}, ${command} ${args.join(" ")}`, plain, compressed };
    }
  }
}

/** What `command` makes of `input`, by way of files; undefined if there is no such command. */
function runFilter(command: string, args: string[], input: Uint8Array): Uint8Array | undefined {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(path, input);
    const { success, stdout, stderr } = new Deno.Command(command, { args: [...args, path] }).outputSync();
    if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
    return stdout;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    Deno.removeSync(path);
  }
}
