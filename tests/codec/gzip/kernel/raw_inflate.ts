/** Raw inflate by the kernel and by pako, as outcomes that can be compared. */
import assert from "node:assert/strict";
import {
  Z_BUF_ERROR,
  Z_NO_FLUSH,
  Z_OK,
  Z_STREAM_END,
  zlibInflate,
  zlibInflateInit2,
  zlibInflateReset,
  zlibInflateSetDictionary,
  ZStream,
} from "pako";
import { equalBytes } from "../../../../src/base/mod.ts";
import { type InflateKernel, KernelStop } from "../../../../src/codec/gzip/kernel/mod.ts";
import { concat } from "../../codec_contract.ts";

const NO_WINDOW: Uint8Array = new Uint8Array(0);
/** Streams that would make more are cut off there, by both decoders. */
export const MOST_PLAIN_BYTES = 600_000;

/** How a decoder judged a stream, and what it made of it. */
export interface Outcome {
  /** "complete", "truncated", "cut off" or the decoder's words of refusal. */
  readonly verdict: string;
  readonly plain: Uint8Array;
  /** The whole bytes of input used; of complete streams only. */
  readonly usedBytes: number;
}

/** Inflates by pako, reusing one state. */
export class PakoRaw {
  #stream = new ZStream();
  #output = new Uint8Array(MOST_PLAIN_BYTES);

  constructor() {
    assert.equal(zlibInflateInit2(this.#stream, -15), Z_OK);
  }

  inflate(input: Uint8Array, window: Uint8Array = NO_WINDOW): Outcome {
    const stream = this.#stream;
    assert.equal(zlibInflateReset(stream), Z_OK);
    if (window.length > 0) assert.equal(zlibInflateSetDictionary(stream, window), Z_OK);
    stream.input = input;
    stream.next_in = 0;
    stream.avail_in = input.length;
    stream.output = this.#output;
    stream.next_out = 0;
    stream.avail_out = this.#output.length;
    const status = zlibInflate(stream, Z_NO_FLUSH);
    const plain = this.#output.slice(0, stream.next_out);
    if (status === Z_STREAM_END) return { verdict: "complete", plain, usedBytes: stream.next_in };
    if (status !== Z_OK && status !== Z_BUF_ERROR) return { verdict: stream.msg, plain, usedBytes: 0 };
    return { verdict: stream.avail_out === 0 ? "cut off" : "truncated", plain, usedBytes: 0 };
  }
}

/** Inflates `pieces` by the kernel. `nextLimit`, asked after each stop at one, gives the next limit of plain bytes. */
export function kernelInflate(
  kernel: InflateKernel,
  pieces: Iterable<Uint8Array>,
  { window = NO_WINDOW, nextLimit, stopAtBlockEnds = false }: {
    window?: Uint8Array;
    nextLimit?: (plainOffset: number) => number;
    stopAtBlockEnds?: boolean;
  } = {},
): Outcome {
  kernel.reset({ window, bitOffset: 0, plainOffset: 0 });
  const plain: Uint8Array[] = [];
  const outcome = (verdict: string): Outcome => {
    const usedBytes = verdict === "complete" ? Math.ceil(kernel.bitOffset / 8) : 0;
    return { verdict, plain: concat(plain).subarray(0, MOST_PLAIN_BYTES), usedBytes };
  };
  let limit = nextLimit?.(0) ?? Infinity;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length || piece.length === 0;) {
      const lent = new Uint8Array(piece);
      at += kernel.feed(lent, at, lent.length);
      for (;;) {
        const from = kernel.outputEnd;
        const stop = kernel.run(limit, stopAtBlockEnds);
        plain.push(kernel.output.slice(from, kernel.outputEnd));
        assert.ok(kernel.plainOffset <= limit, "a run went beyond its limit");
        if (stop === KernelStop.bad) return outcome(kernel.problem);
        if (stop === KernelStop.streamEnd) return outcome("complete");
        if (kernel.plainOffset >= MOST_PLAIN_BYTES) return outcome("cut off");
        if (stop === KernelStop.needInput) break;
        if (stop !== KernelStop.outputFull) continue;
        if (kernel.plainOffset + 258 > limit) {
          // A match may not fit before the limit; a step of 258 is sure to do.
          assert.ok(kernel.isInBlock || kernel.plainOffset === limit);
          limit = Math.max(limit + 258, nextLimit!(kernel.plainOffset));
        } else kernel.slide();
      }
      if (piece.length === 0) break;
    }
  }
  return outcome("truncated");
}

/** Asserts that two outcomes are the same; `context` is asked where they are not. */
export function assertSame(actual: Outcome, expected: Outcome, context: () => string): void {
  const same = actual.verdict === expected.verdict && actual.usedBytes === expected.usedBytes &&
    equalBytes(actual.plain, expected.plain);
  if (same) return;
  const show = ({ verdict, usedBytes, plain }: Outcome) => ({ verdict, usedBytes, plainBytes: plain.length });
  assert.deepEqual(show(actual), show(expected), context());
  assert.fail(`other contents: ${context()}`);
}
