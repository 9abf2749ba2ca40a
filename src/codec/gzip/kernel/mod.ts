/**
 * An inflate kernel in WebAssembly: several times as fast as pako, and faster than the inflate built into Deno, which
 * cannot tell bit positions. It stops at block ends and at output offsets, can start at both, and tells of any place
 * that it has passed which window bytes a start there needs.
 *
 * The sources in assembly/ are AssemblyScript; inflate.ts there explains the decoder. scripts/build_kernel.ts compiles
 * them to inflate_wasm.ts, which is kept in the repository, as base64: so it loads in a compiled executable and in
 * Workers without a file of its own, in any number of instances.
 */
export { type BlockResume, InflateKernel, MAX_BLOCK_HEADER_BYTES, WINDOW_BYTES } from "./kernel.ts";
export { KernelEngine } from "./kernel_engine.ts";
export { KernelStop } from "./kernel_stop.ts";
