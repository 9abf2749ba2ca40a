/* A compressed block: literals, then sequences. Source: RFC 8878, section 3.1.1.3. */
import { copyWide } from "./copy";
import { decodeFourStreams, decodeStream, hasHuffmanTable, readHuffman } from "./huffman";
import { BLOCK_BYTES, INPUT, LITERALS } from "./layout";
import { describe, HUFFMAN_SLOT, runSequences } from "./sequences";
import { BAD_LITERALS, BAD_LITERALS_HEADER, NO_HUFFMAN_TABLE } from "./status";

/** Decodes the block whose content is [INPUT, INPUT + bytes). 0, or a refusal: output may then have been overwritten behind `out`. */
export function decodeCompressed(bytes: u32): i32 {
  if (bytes < 2) return BAD_LITERALS_HEADER;
  const end = INPUT + bytes;
  const head = <u32>load<u8>(INPUT);
  const type = head & 3;
  const format = (head >> 2) & 3;
  if (type < 2) {
    let headerBytes: u32 = 1;
    let literalBytes = head >> 3;
    if (format == 1) {
      headerBytes = 2;
      literalBytes = <u32>load<u16>(INPUT) >> 4;
    } else if (format == 3) {
      headerBytes = 3;
      literalBytes = (load<u32>(INPUT) & 0xffffff) >> 4;
    }
    const at = INPUT + headerBytes;
    const stored = type == 0 ? literalBytes : 1;
    if (literalBytes > BLOCK_BYTES || at + stored > end) return BAD_LITERALS_HEADER;
    if (type == 0) copyWide(LITERALS, at, literalBytes);
    else memory.fill(LITERALS, load<u8>(at), literalBytes);
    return runSequences(at + stored, end, LITERALS, LITERALS + literalBytes);
  }
  const sizeBits: u32 = format < 2 ? 10 : format == 2 ? 14 : 18;
  const headerBytes: u32 = format < 2 ? 3 : format + 2;
  const sizes = (<u64>load<u32>(INPUT) | (<u64>load<u8>(INPUT, 4) << 32)) >> 4;
  const literalBytes = <u32>sizes & ((1 << sizeBits) - 1);
  const storedBytes = <u32>(sizes >> sizeBits) & ((1 << sizeBits) - 1);
  let at = INPUT + headerBytes;
  const literalsEnd = at + storedBytes;
  if (literalBytes > BLOCK_BYTES || literalsEnd > end || literalBytes == 0) return BAD_LITERALS_HEADER;
  if (type == 2) {
    const used = readHuffman(at, literalsEnd);
    if (used < 0) return used;
    describe(HUFFMAN_SLOT, 0, at, used);
    at += used;
  } else if (!hasHuffmanTable()) {
    return NO_HUFFMAN_TABLE;
  }
  if (format == 0) {
    if (!decodeStream(at, literalsEnd - at, LITERALS, LITERALS + literalBytes)) return BAD_LITERALS;
  } else {
    if (at > literalsEnd) return BAD_LITERALS;
    const status = decodeFourStreams(at, literalsEnd, LITERALS, literalBytes);
    if (status < 0) return status;
  }
  return runSequences(literalsEnd, end, LITERALS, LITERALS + literalBytes);
}
