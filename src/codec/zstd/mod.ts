/**
 * Zstandard, made restartable where its frames allow it.
 *
 * A zstd blob is a sequence of frames (RFC 8878), each decodable by itself: its start is a checkpoint that needs no
 * window. pzstd, the seekable format and zstd:chunked write many; buildkit and containers/image write one for the whole
 * layer. So checkpoints lie between the blocks of a frame as well. What a decoder needs there: the offset, in whole
 * bytes; the three offsets used last; the tables of the entropy coders, which the next block may say it repeats (kept
 * as the stream described them, some hundred bytes at most); and of the history, which reaches back megabytes, those
 * bytes that are referred to before the next checkpoint. `places` looks for places where these are few.
 *
 * Of the strategies `interval` uses frames alone; `sparse` blocks too; `file` and `exact`, alike here, also the last
 * frame before each large file.
 *
 * A reader that starts in the middle never sees the checksum of the frame, so the scan checks all that there are, and
 * whoever keeps checkpoints keeps a digest of each span of plain bytes too.
 *
 * Rejected: checkpoints at frames alone. A layer of a single frame would have to be decoded from its start for any byte
 * of it.
 *
 * The parts: `frame_header` and `frame_reader` know frames, the kernel knows blocks, `block_state` what goes from one to
 * the next; `places` chooses; `scanner` and `decoder` join them.
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
