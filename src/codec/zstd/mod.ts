/**
 * Zstandard, made restartable where its frames allow it.
 *
 * A zstd blob is a sequence of frames (RFC 8878), each decodable by itself: its start is a checkpoint that needs no
 * window. pzstd, the seekable format and zstd:chunked write many; buildkit and containers/image write one for the whole
 * layer, which then has the checkpoint at its start alone: readers decode it once, front to back, and each read is
 * answered as soon as its bytes have passed.
 *
 * Between two blocks of a frame a decoder could start too, given the tables that the next block repeats, the recent
 * offsets, and of the megabytes of history those bytes that are referred to. The kernel can do that; see
 * docs/decisions.md for what it would cost.
 *
 * The parts: `frame_header` and `frame_reader` know frames, the kernel knows blocks; `scanner` and `decoder` join them.
 */
import type { Codec, DecodeOptions, Decoder, Scanner, ScanOptions } from "../codec.ts";
import { ZstdDecoder } from "./decoder.ts";
import { ZstdScanner } from "./scanner.ts";

/** zstd, RFC 8878: any number of frames, without dictionaries. */
export const zstd: Codec = {
  name: "zstd",
  scanner: (options: ScanOptions): Scanner => new ZstdScanner(options),
  decoder: (options: DecodeOptions): Decoder => new ZstdDecoder(options),
};
