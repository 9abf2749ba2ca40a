/** Random numbers that can be had again: a test prints its seed when it fails. */

/** The seed of this run: CLIP_TEST_SEED, or one from the clock. */
export function testSeed(): number {
  const chosen = Deno.env.get("CLIP_TEST_SEED");
  return chosen === undefined ? Date.now() >>> 0 : Number(chosen) >>> 0;
}

/** A small generator of 32-bit numbers (xorshift with a multiplied output). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  }

  /** 0 to 2^32−1. */
  u32(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return Math.imul(this.#state, 0x9e3779bb) >>> 0;
  }

  /** 0 to limit−1. */
  below(limit: number): number {
    return Math.floor(this.u32() / 2 ** 32 * limit);
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.u32() >>> 24;
    return bytes;
  }

  /** `bytes` in pieces of random lengths, some of them empty. */
  *split(bytes: Uint8Array, meanLength: number): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length;) {
      const length = this.below(4) === 0 ? this.below(3) : this.below(meanLength * 2);
      yield bytes.subarray(at, at + length);
      at += length;
    }
  }
}

/** Runs `body` with a seeded generator; a failure carries the seed. */
export function withSeed(body: (random: SeededRandom) => void, seed: number = testSeed()): void {
  try {
    body(new SeededRandom(seed));
  } catch (error) {
    throw new Error(`failed with CLIP_TEST_SEED=${seed}`, { cause: error });
  }
}
