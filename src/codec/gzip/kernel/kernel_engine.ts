import { type EngineStart, type InflateEngine, InflateStop, type SymbolPlace, type SymbolSense } from "../engine.ts";
import { InflateKernel } from "./kernel.ts";
import { KernelStop } from "./kernel_stop.ts";

/** The longest match. Source: RFC 1951, section 3.2.5. */
const MAX_MATCH_BYTES = 258;

const NO_WINDOW: Uint8Array = new Uint8Array(0);
/** Tries headers, where the engine's own kernel is at work. */
let scratchKernel: InflateKernel | undefined;

/** The inflate kernel as an engine of the gzip codec. */
export class KernelEngine implements InflateEngine, SymbolSense {
  readonly output: Uint8Array;
  outputEnd = 0;
  consumed = 0;
  #kernel = new InflateKernel();

  /** @throws {ClipError} of code `unsupported` without WebAssembly SIMD. */
  constructor() {
    this.output = this.#kernel.output;
  }

  get symbols(): SymbolSense {
    return this;
  }

  get problem(): string {
    return this.#kernel.problem;
  }

  get bitOffset(): number {
    return this.#kernel.bitOffset;
  }

  start({ window, compressedBitOffset, plainOffset, block }: EngineStart): boolean {
    this.outputEnd = window.length;
    this.consumed = 0;
    if (block === undefined) {
      this.#kernel.reset({ window, bitOffset: compressedBitOffset, plainOffset });
      return true;
    }
    return this.#kernel.resetInBlock({ window, plainOffset, ...block, symbolBitOffset: compressedBitOffset });
  }

  inflate(input: Uint8Array, at: number, endExclusive: number, limit: number): InflateStop {
    const kernel = this.#kernel;
    let next = at;
    let stop: KernelStop;
    for (;;) {
      stop = kernel.run(limit, true);
      // A match lies across the limit: it is taken whole.
      if (stop === KernelStop.outputFull && kernel.plainOffset < limit && this.#hasRoom()) stop = kernel.step();
      if (stop !== KernelStop.needInput || next === endExclusive) break;
      next += kernel.feed(input, next, endExclusive);
    }
    if (stop === KernelStop.streamEnd) {
      const back = kernel.untouchedBytes;
      kernel.unfeed(back);
      next -= back;
    }
    this.consumed = next - at;
    this.outputEnd = kernel.outputEnd;
    if (stop === KernelStop.outputFull && kernel.plainOffset >= limit) return InflateStop.limit;
    return STOPS[stop];
  }

  #hasRoom(): boolean {
    return this.output.length - this.#kernel.outputEnd > 2 * MAX_MATCH_BYTES;
  }

  slide(): void {
    this.#kernel.slide();
    this.outputEnd = this.#kernel.outputEnd;
  }

  headerBytes(header: Uint8Array, headerBitOffset: number): number {
    let tooFew = 0;
    let enough = header.length;
    while (enough - tooFew > 1) {
      const tried = (tooFew + enough) >> 1;
      if (this.#takesHeader(header.subarray(0, tried), headerBitOffset % 8)) enough = tried;
      else tooFew = tried;
    }
    return enough;
  }

  #takesHeader(header: Uint8Array, bitOffset: number): boolean {
    const kernel = scratchKernel ??= new InflateKernel();
    return kernel.resetInBlock({
      window: NO_WINDOW,
      plainOffset: 0,
      headerBitOffset: bitOffset,
      header,
      symbolBitOffset: header.length * 8,
    });
  }

  get isInBlock(): boolean {
    return this.#kernel.isInBlock;
  }

  startLog(): void {
    this.#kernel.startLog();
  }

  stopLog(): void {
    this.#kernel.stopLog();
  }

  startTally(): void {
    this.#kernel.startTally();
  }

  tally(): Int32Array {
    return this.#kernel.tally();
  }

  lightestNear(plainOffset: number): SymbolPlace | undefined {
    return this.#kernel.lightestNear(plainOffset);
  }

  mark(plainOffset: number): number {
    return this.#kernel.mark(plainOffset);
  }

  get marks(): Uint8Array {
    return this.#kernel.map;
  }
}

const STOPS: Readonly<Record<KernelStop, InflateStop>> = {
  [KernelStop.needInput]: InflateStop.input,
  [KernelStop.outputFull]: InflateStop.output,
  [KernelStop.blockEnd]: InflateStop.blockEnd,
  [KernelStop.streamEnd]: InflateStop.streamEnd,
  [KernelStop.bad]: InflateStop.bad,
};
