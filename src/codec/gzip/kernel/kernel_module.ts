import { Buffer } from "node:buffer";
import { ClipError, messageOf } from "../../../base/mod.ts";
import { INFLATE_WASM_BASE64 } from "./inflate_wasm.ts";

/** A wasm global that holds a number. */
interface ExportedNumber {
  readonly value: number;
}

/** What the WebAssembly module exports; assembly/inflate.ts documents each. */
export interface KernelExports {
  readonly memory: WebAssembly.Memory;
  readonly inputEnd: ExportedNumber;
  readonly out: ExportedNumber;
  readonly headerOffset: ExportedNumber;
  outputAddress(): number;
  outputCapacity(): number;
  reset(windowBytes: number, plainOffset: number, bitOffset: number): void;
  enterBlock(bitOffset: number): number;
  makeRoom(): number;
  inputLimit(): number;
  endInputAt(address: number): void;
  unreadAddress(): number;
  bitOffset(): number;
  plainOffset(): number;
  isInBlock(): number;
  slide(keepBytes: number): void;
  run(limit: number, stopAtBlockEnds: number): number;
  step(): number;
  startLog(): void;
  stopLog(): void;
  startTally(): void;
  tally(): void;
  lightestNear(plainOffset: number): number;
  mark(plainOffset: number): number;
  mapAddress(): number;
  cellsAddress(): number;
}

let module: WebAssembly.Module | undefined;

/**
 * The exports of a new instance of the kernel, whose 1.9 MiB of memory become resident only as they are used. The
 * module is compiled at the first call in an isolate, and its instances share the compiled code.
 * @throws {ClipError} of code `unsupported` where WebAssembly, or its SIMD part, is not to be had.
 */
export function instantiateKernel(): KernelExports {
  try {
    module ??= new WebAssembly.Module(Buffer.from(INFLATE_WASM_BASE64, "base64"));
    return new WebAssembly.Instance(module).exports as unknown as KernelExports;
  } catch (error) {
    const message = `cannot start the inflate kernel: ${messageOf(error)}; WebAssembly with SIMD is needed`;
    throw new ClipError("unsupported", message, { cause: error });
  }
}
