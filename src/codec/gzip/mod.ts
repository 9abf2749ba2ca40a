/**
 * gzip, made restartable.
 *
 * A gzip blob is a sequence of members: header, deflate data, trailer (RFC 1952). Deflate data are a sequence of
 * blocks, each with its own code tables, and each free to copy from the 32,768 plain bytes before (RFC 1951). Decoding
 * can therefore start between two blocks if three things are known: the offset in *bits*, for blocks do not end on
 * bytes; the plain offset; and the window, the plain bytes before it. Byte offsets alone are worth nothing: a decoder
 * put on the byte before or after reads noise. At the start of a member no window is needed, and the offset is a whole
 * byte.
 *
 * So a scan decodes the blob once, notes such places about every `spacingBytes` of plain bytes, and keeps their
 * windows. A later reader of plain bytes [a, b) takes the last checkpoint at or before a, fetches the compressed bytes
 * from there to the first checkpoint at or after b, and decodes.
 *
 * A reader that starts in the middle never sees the CRC-32 of the whole, so the scan checks all of them, and whoever
 * keeps checkpoints keeps a digest of each span of plain bytes too.
 *
 * Rejected: writing the layer anew in a format that is made for random access (eStargz, zstd:chunked) changes its
 * digest and stores it twice; searching a block start by trial (as parallel gunzip does) costs a decode of everything
 * before for the window.
 *
 * The parts: `header` and `member_reader` know gzip; an `InflateEngine` knows deflate; `strategies` choose;
 * `scanner` and `decoder` join them.
 */
import type { Codec, DecodeOptions, Decoder, InflateName, Scanner, ScanOptions } from "../codec.ts";
import { GzipDecoder } from "./decoder.ts";
import type { InflateEngine } from "./engine.ts";
import { KernelEngine } from "./kernel/mod.ts";
import { PakoEngine } from "./pako_engine.ts";
import { GzipScanner } from "./scanner.ts";

/** Room for the output of a decoder: its buffer is made anew for each cold read, and a smaller one is made sooner. */
const DECODER_ROOM_BYTES = 64 * 1024;

/** Kernels between two decodes: a new one costs as much as decoding 60 KB, and memory until it is collected. */
const idleKernels: KernelEngine[] = [];
const MAX_IDLE_KERNELS = 8;

/** gzip, RFC 1952: any number of members. */
export const gzip: Codec = {
  name: "gzip",
  scanner: (options: ScanOptions): Scanner => new GzipScanner(scanEngine(options.inflate), options),
  decoder: (options: DecodeOptions): Decoder => {
    if (options.inflate === "pako") return new GzipDecoder(new PakoEngine({ roomBytes: DECODER_ROOM_BYTES }), options);
    const engine = idleKernels.pop() ?? new KernelEngine();
    return new GzipDecoder(engine, options, () => {
      if (idleKernels.length < MAX_IDLE_KERNELS) idleKernels.push(engine);
    });
  },
};

function scanEngine(inflate: InflateName = "kernel"): InflateEngine {
  return inflate === "kernel" ? new KernelEngine() : new PakoEngine();
}
