import { createInflateRaw, inflateRawSync } from "node:zlib";
import { KIB, MIB } from "../base/mod.ts";

/** Packed bytes fed at once. Deflate makes at most 66 MB of them: so much can be inflated in vain, and none is kept. */
const PIECE_BYTES = 64 * KIB;
/** Plain bytes taken at once. */
const CHUNK_BYTES = MIB;

/**
 * Inflates raw deflate data into `target`, which it has to fill exactly; stops as soon as there is more.
 * Resolves when done; rejects with an Error that says what was wrong with the data, for the caller to put into words.
 *
 * inflateRawSync with `maxOutputLength` would be shorter, but Deno 2.4 ignores that option and inflates a gigabyte
 * where a kilobyte was promised. This is no slower: there is no joining and no second copy. Of a single piece that much
 * can be said in advance, and streams take ten milliseconds to be loaded: `clip ls` is not to wait for them.
 */
export function inflateInto(packed: Uint8Array, target: Uint8Array): Promise<void> {
  return packed.length > PIECE_BYTES ? inflatePieces(packed, target) : inflatePiece(packed, target);
}

// deno-lint-ignore require-await -- async, so that every failure is a rejection
async function inflatePiece(packed: Uint8Array, target: Uint8Array): Promise<void> {
  const plain = inflateRawSync(packed, { chunkSize: Math.max(64, Math.min(target.length + 1, CHUNK_BYTES)) });
  if (plain.length > target.length) throw new Error(`more than ${target.length} bytes`);
  if (plain.length < target.length) throw new Error(`${plain.length} bytes`);
  target.set(plain);
}

function inflatePieces(packed: Uint8Array, target: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = createInflateRaw({ chunkSize: Math.max(64, Math.min(target.length + 1, CHUNK_BYTES)) });
    let filled = 0;
    let fed = 0;
    stream.on("data", (plain: Uint8Array) => {
      if (plain.length > target.length - filled) {
        reject(new Error(`more than ${target.length} bytes`));
        stream.destroy();
        return;
      }
      target.set(plain, filled);
      filled += plain.length;
    });
    stream.on("error", reject);
    stream.on("end", () => filled === target.length ? resolve() : reject(new Error(`${filled} bytes`)));
    const feed = () => {
      if (stream.destroyed) return;
      const piece = packed.subarray(fed, fed + PIECE_BYTES);
      fed += piece.length;
      if (fed === packed.length) stream.end(piece);
      else stream.write(piece, feed);
    };
    feed();
  });
}
