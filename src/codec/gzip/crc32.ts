import { crc32 as nativeCrc32 } from "node:zlib";

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/**
 * The CRC-32 of gzip, 0 to 2^32−1, of what `crc` is the CRC-32 of, followed by `bytes`. Start with 0.
 * Source: RFC 1952, section 8.
 *
 * It is node:zlib's but for the first bytes. Deno 2.4's, once its caller is optimised, gets the sum wrong where `crc`
 * is 2^31 or more; so bytes are summed here until it is not, two on average.
 */
export function crc32(bytes: Uint8Array, crc: number): number {
  let sum = crc;
  let at = 0;
  while (sum >= 2 ** 31 && at < bytes.length) {
    const inverted = ~sum;
    sum = ~(TABLE[(inverted ^ bytes[at++]!) & 0xff]! ^ (inverted >>> 8)) >>> 0;
  }
  if (at === bytes.length) return sum;
  return nativeCrc32(at === 0 ? bytes : bytes.subarray(at), sum) >>> 0;
}
