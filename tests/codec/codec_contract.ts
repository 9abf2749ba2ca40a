/** What every codec must do, as tests. A codec's own test file calls `codecContract` with streams of its format. */
import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/mod.ts";
import {
  type Checkpoint,
  CheckpointKind,
  type Codec,
  expandWindow,
  type InflateName,
  NO_WINDOW,
  type PlainSink,
  type StrategyName,
} from "../../src/codec/mod.ts";
import { type SeededRandom, withSeed } from "./seeded_random.ts";

/** A compressed stream and what it holds. */
export interface ContractStream {
  readonly name: string;
  readonly plain: Uint8Array;
  readonly compressed: Uint8Array;
}

/** A sink that keeps what is written, and finds files to begin at offsets known beforehand. */
export class CollectingSink implements PlainSink {
  readonly fileStarts: number[] = [];
  pieces: Uint8Array[] = [];
  #length = 0;
  #comingStarts: number[];

  constructor(fileStarts: readonly number[] = []) {
    this.#comingStarts = [...fileStarts];
  }

  write(bytes: Uint8Array): void {
    this.pieces.push(bytes.slice());
    this.#length += bytes.length;
    while (this.#comingStarts.length > 0 && this.#comingStarts[0]! <= this.#length) {
      this.fileStarts.push(this.#comingStarts.shift()!);
    }
  }

  get plainBytes(): number {
    return this.#length;
  }

  get nextStop(): number {
    return this.#comingStarts[0] ?? Infinity;
  }

  get plain(): Uint8Array {
    return concat(this.pieces);
  }
}

/** How a scan and decodes are done. */
export interface Variant {
  readonly strategy: StrategyName;
  readonly inflate?: InflateName;
}

const DEFAULT_VARIANT: Variant = { strategy: "file" };
/** What stands for window bytes that are not kept: whoever uses one makes wrong bytes. */
const POISON = 0xee;

/** The result of a whole scan. */
export interface ScanResult {
  readonly plain: Uint8Array;
  readonly checkpoints: Checkpoint[];
  /** Each as plain offset and compressed bit offset. */
  readonly cuts: (readonly [number, number])[];
  readonly warnings: string[];
}

/** Aim of the distance between cuts. */
const CUT_BYTES = 3000;

/** Scans `pieces`. */
export function scan(
  codec: Codec,
  pieces: Iterable<Uint8Array>,
  { spacingBytes, fileStarts = [], ...variant }: {
    spacingBytes: number;
    fileStarts?: readonly number[];
  } & Partial<Variant>,
): ScanResult {
  const sink = new CollectingSink(fileStarts);
  const checkpoints: Checkpoint[] = [];
  const cuts: [number, number][] = [];
  const warnings: string[] = [];
  const scanner = codec.scanner({
    ...DEFAULT_VARIANT,
    ...variant,
    spacingBytes,
    sink,
    onCheckpoint: (checkpoint) => checkpoints.push(checkpoint),
    cuts: {
      everyBytes: CUT_BYTES,
      onCut: (plainOffset, compressedBitOffset) => {
        assert(sink.plainBytes >= plainOffset, "a cut is told of when the bytes before it have been written");
        cuts.push([plainOffset, compressedBitOffset]);
      },
    },
    onWarning: (message) => warnings.push(message),
  });
  for (const piece of pieces) {
    const lent = new Uint8Array(piece); // Not slice(): a Buffer's shares its memory.
    scanner.push(lent);
    lent.fill(0xa5); // A scanner must not keep what it was lent.
  }
  scanner.finish();
  return { plain: sink.plain, checkpoints, cuts, warnings };
}

/** Decodes `plainBytes` from `from` out of `pieces`; asserts that the end is told when, and only when, it is reached. */
export function decode(
  codec: Codec,
  from: Checkpoint,
  plainBytes: number,
  pieces: Iterable<Uint8Array>,
  inflate?: InflateName,
): Uint8Array {
  const plain: Uint8Array[] = [];
  let length = 0;
  const decoder = codec.decoder({
    from: { ...from, window: expandWindow(from.window, POISON) },
    inflate,
    plainBytes,
    onPlain: (bytes) => {
      plain.push(bytes.slice());
      length += bytes.length;
    },
  });
  let ended = false;
  for (const piece of pieces) {
    ended = decoder.push(piece);
    assert.equal(ended, length === plainBytes);
    if (ended) break;
  }
  return concat(plain);
}

/** All of `pieces` in one array. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Registers the contract's tests for `codec`; `name` is for those that share a codec's name (another engine). */
export function codecContract(
  codec: Codec,
  streams: () => Iterable<ContractStream>,
  name: string = codec.name,
  variant: Variant = DEFAULT_VARIANT,
): void {
  // Strategies that weigh places have a least spacing of their own, far above these: one of them is as good as all.
  const weighs = variant.strategy === "sparse" || variant.strategy === "exact";
  for (const spacingBytes of weighs ? [65536] : [1, 5000, 65536]) {
    Deno.test(`${name} contract, ${variant.strategy}: every stream, checkpoints every ${spacingBytes} bytes`, () => {
      for (const stream of streams()) {
        // A checkpoint after every block makes as many windows: keep the tightest spacing to the shorter streams.
        if (spacingBytes === 1 && stream.plain.length > 300_000) continue;
        try {
          withSeed((random) => checkStream(codec, stream, { ...variant, spacingBytes }, random));
        } catch (error) {
          throw new Error(`stream "${stream.name}"`, { cause: error });
        }
      }
    });
  }

  Deno.test(`${name} contract: no plain bytes asked for, none made`, () => {
    const start: Checkpoint = {
      kind: CheckpointKind.start,
      plainOffset: 0,
      compressedBitOffset: 0,
      window: NO_WINDOW,
      prefixBytes: 0,
      atHeader: true,
      block: undefined,
    };
    assert.equal(decode(codec, start, 0, [new Uint8Array(0)], variant.inflate).length, 0);
  });
}

function checkStream(
  codec: Codec,
  { plain, compressed }: ContractStream,
  variant: Variant & { spacingBytes: number },
  random: SeededRandom,
): void {
  const fileStarts = randomStarts(plain.length, random);
  const options = { ...variant, fileStarts };
  const whole = scan(codec, [compressed], options);
  assert(equalBytes(whole.plain, plain), "a scan in one piece gives the plain bytes");
  checkOrder(whole.checkpoints, plain);
  if (variant.strategy === "exact" && codec.name === "gzip") {
    const offsets = new Set(whole.checkpoints.map(({ plainOffset }) => plainOffset));
    // The last symbols may be one match, behind which there is nothing to start at.
    for (const start of fileStarts.filter((start) => start < plain.length - 258)) {
      assert(offsets.has(start), `a checkpoint at the file that starts at ${start}`);
    }
  }
  for (const meanLength of compressed.length > 20000 ? [700, 30000] : [1, 50, 3000]) {
    const split = scan(codec, random.split(compressed, meanLength), options);
    assert(equalBytes(split.plain, plain), `pieces of about ${meanLength} bytes give the plain bytes`);
    assertSameCheckpoints(split.checkpoints, whole.checkpoints);
    assert.deepEqual(split.cuts, whole.cuts);
  }
  checkDecodes(codec, { plain, compressed }, whole.checkpoints, { random, inflate: variant.inflate });
  checkCuts(codec, { plain, compressed }, whole, variant.inflate);
}

/** Decodes from the checkpoint before each cut (a sample of many), given not one byte more than that is said to take. */
function checkCuts(
  codec: Codec,
  { plain, compressed }: { plain: Uint8Array; compressed: Uint8Array },
  { cuts, checkpoints }: ScanResult,
  inflate: InflateName | undefined,
): void {
  for (const [at, [plainOffset]] of cuts.entries()) {
    assert(plainOffset - (cuts[at - 1]?.[0] ?? 0) >= CUT_BYTES && plainOffset <= plain.length);
  }
  const step = Math.ceil(cuts.length / 40);
  for (let i = 0; i < cuts.length; i += step) {
    const [plainOffset, compressedBitOffset] = cuts[i]!;
    const from = checkpoints.findLast((checkpoint) => checkpoint.plainOffset < plainOffset)!;
    const input = compressed.subarray(Math.floor(from.compressedBitOffset / 8), Math.ceil(compressedBitOffset / 8));
    const expected = plain.subarray(from.plainOffset, plainOffset);
    assert(
      equalBytes(decode(codec, from, expected.length, [input], inflate), expected),
      `to the cut at ${plainOffset}`,
    );
  }
}

/** Asserts that two scans made the same; `assert.deepEqual` takes minutes over the windows in Deno 2.4. */
export function assertSameCheckpoints(actual: readonly Checkpoint[], expected: readonly Checkpoint[]): void {
  const withoutBytes = (list: readonly Checkpoint[]) =>
    list.map((
      { window: { lengthBytes, runs }, block, ...rest },
    ) => [rest, lengthBytes, [...runs], block?.headerBitOffset]);
  assert.deepEqual(withoutBytes(actual), withoutBytes(expected));
  actual.forEach(({ window }, i) => assert(equalBytes(window.bytes, expected[i]!.window.bytes), `window ${i}`));
}

/** Where large files might begin; a header of 512 bytes lies between two of them at least. */
function randomStarts(plainBytes: number, random: SeededRandom): number[] {
  const starts = Array.from({ length: random.below(8) }, () => random.below(plainBytes + 1)).sort((a, b) => a - b);
  return starts.filter((start, i) => i === 0 || start - starts[i - 1]! >= 512);
}

function checkOrder(checkpoints: readonly Checkpoint[], plain: Uint8Array): void {
  assert(checkpoints.length >= 2);
  assert.equal(checkpoints[0]!.kind, CheckpointKind.start);
  assert.equal(checkpoints[0]!.plainOffset, 0);
  assert.equal(checkpoints[0]!.compressedBitOffset, 0);
  const last = checkpoints.at(-1)!;
  assert.equal(last.kind, CheckpointKind.final);
  assert.equal(last.plainOffset, plain.length);
  for (let i = 1; i < checkpoints.length; i++) {
    const [before, checkpoint] = [checkpoints[i - 1]!, checkpoints[i]!];
    assert(checkpoint.plainOffset > before.plainOffset || (checkpoint === last && plain.length === 0));
    assert(checkpoint.compressedBitOffset > before.compressedBitOffset || plain.length === 0);
    const { window, plainOffset, prefixBytes } = checkpoint;
    const place = plainOffset + prefixBytes;
    const history = plain.subarray(place - window.lengthBytes, place);
    for (let run = 0, taken = 0; run < window.runs.length; run += 2) {
      const [start, length] = [window.runs[run]!, window.runs[run + 1]!];
      const kept = window.bytes.subarray(taken, taken += length);
      assert(equalBytes(kept, history.subarray(start, start + length)), "a window is what came before");
    }
    if (checkpoint !== last) assert.notEqual(checkpoint.kind, CheckpointKind.final);
  }
}

/** Decodes from each checkpoint (a sample of many) to one of the next few, and to a place before it. */
export function checkDecodes(
  codec: Codec,
  { plain, compressed }: { plain: Uint8Array; compressed: Uint8Array },
  checkpoints: readonly Checkpoint[],
  { random, inflate }: { random: SeededRandom; inflate: InflateName | undefined },
): void {
  const step = Math.ceil(checkpoints.length / 60);
  for (let i = 0; i < checkpoints.length - 1; i += step) {
    const from = checkpoints[i]!;
    for (const spans of [1, 3]) {
      const to = checkpoints[Math.min(i + spans, checkpoints.length - 1)]!;
      const input = compressed.subarray(
        Math.floor(from.compressedBitOffset / 8),
        Math.ceil(to.compressedBitOffset / 8),
      );
      const full = to.plainOffset - from.plainOffset;
      for (const plainBytes of [full, random.below(full + 1)]) {
        const expected = plain.subarray(from.plainOffset, from.plainOffset + plainBytes);
        const where = `from ${from.plainOffset} for ${plainBytes} bytes`;
        assert(equalBytes(decode(codec, from, plainBytes, [input], inflate), expected), `${where} in one piece`);
        const pieces = random.split(input, 1 + random.below(2000));
        assert(equalBytes(decode(codec, from, plainBytes, pieces, inflate), expected), `${where} in pieces`);
      }
    }
  }
}
