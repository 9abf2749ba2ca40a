import { HISTORY_BYTES, type InflateEngine, InflateStop } from "../engine.ts";
import { InflateKernel } from "./kernel.ts";
import { KernelStop } from "./kernel_stop.ts";

/**
 * How much is copied to the kernel at a time. A block end sends the rest back, to be copied again: about half of this
 * for each block, whose compressed size is 15 to 25 KB as a rule.
 */
const FEED_BYTES = 16 * 1024;

/** The inflate kernel as an engine of the gzip codec. */
export class KernelEngine implements InflateEngine {
  readonly output: Uint8Array;
  outputEnd = 0;
  consumed = 0;
  unusedBits = 0;
  #kernel = new InflateKernel();

  /** @throws {ClipError} of code `unsupported` without WebAssembly SIMD. */
  constructor() {
    this.output = this.#kernel.output;
  }

  get problem(): string {
    return this.#kernel.problem;
  }

  start({ window, usedBits }: { window: Uint8Array; usedBits: number }): void {
    this.#kernel.reset({ window, bitOffset: usedBits, plainOffset: 0 });
    this.outputEnd = window.length;
    this.consumed = 0;
    this.unusedBits = 0;
  }

  inflate(input: Uint8Array, at: number, endExclusive: number): InflateStop {
    const kernel = this.#kernel;
    let next = at;
    for (;;) {
      const fed = kernel.feed(input, next, Math.min(endExclusive, next + FEED_BYTES));
      next += fed;
      const stop = kernel.run(Infinity, true);
      if (stop === KernelStop.needInput && next < endExclusive) continue;
      // What the kernel holds of earlier calls cannot be given back; of this piece, all that it has not begun.
      if (stop !== KernelStop.needInput) {
        const back = Math.min(kernel.untouchedBytes, fed);
        kernel.unfeed(back);
        next -= back;
      }
      this.consumed = next - at;
      this.outputEnd = kernel.outputEnd;
      const usedBits = kernel.bitOffset % 8;
      this.unusedBits = stop === KernelStop.blockEnd && usedBits !== 0 ? 8 - usedBits : 0;
      return STOPS[stop];
    }
  }

  slide(): void {
    this.#kernel.slide(HISTORY_BYTES);
    this.outputEnd = this.#kernel.outputEnd;
  }
}

const STOPS: Readonly<Record<KernelStop, InflateStop>> = {
  [KernelStop.needInput]: InflateStop.input,
  [KernelStop.outputFull]: InflateStop.output,
  [KernelStop.blockEnd]: InflateStop.blockEnd,
  [KernelStop.streamEnd]: InflateStop.streamEnd,
  [KernelStop.bad]: InflateStop.bad,
};
