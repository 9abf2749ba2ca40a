/** An image with one layer of half a gigabyte, whose bytes can be told without reading it. */
import { createHash } from "node:crypto";
import { ARCHITECTURE, blobPath, GZIP_LAYER, writeImage } from "./oci_layout.ts";
import { paddingBytes, tarEnd, tarMember } from "./tar_writer.ts";
import { keptFolder } from "./test_image.ts";

/** To be raised when what is made below changes. */
const VERSION = 1;
const BLOCK_BYTES = 1024 * 1024;

/** Programs without which there is no large image. */
export const LARGE_IMAGE_NEEDS = ["gzip"] as const;

/** Its file: path in the image, and length. */
export const LARGE_FILE = { path: "data/large", sizeBytes: 520 * BLOCK_BYTES } as const;

/** An OCI layout of the image, for clip and skopeo: `oci:LAYOUT:latest`; made now if no run before has made it. */
export async function largeImage(): Promise<string> {
  return `oci:${await keptFolder(`large-${VERSION}`, makeLargeImage)}:latest`;
}

/** The bytes [offset, offset + length) of the large file. */
export function largeFileBytes(offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const block = Math.floor((offset + at) / BLOCK_BYTES);
    const inBlock = offset + at - block * BLOCK_BYTES;
    const part = blockBytes(block).subarray(inBlock, inBlock + length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Every other KiB is noise, the rest is text: gzip halves it. Source of the noise: Marsaglia's xorshift32. */
function blockBytes(block: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(BLOCK_BYTES / 4);
  let state = (block + 1) * 0x9e3779b1 >>> 0;
  for (let i = 0; i < words.length; i++) {
    if ((i >> 8) % 2 === 1) words[i] = 0x2e2e2e00 + block % 64 + 32;
    else {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
  }
  return new Uint8Array(words.buffer);
}

/** The tar's pieces in order. */
function* tarPieces(): Generator<Uint8Array<ArrayBuffer>> {
  const { path, sizeBytes } = LARGE_FILE;
  const text = new TextEncoder().encode("small\n");
  yield tarMember({ path: "data/", type: "5", mode: 0o755 });
  yield tarMember({ path: "data/before", data: text });
  yield tarMember({ path, dataBytes: sizeBytes, mtime: "1700000000" });
  for (let block = 0; block < sizeBytes / BLOCK_BYTES; block++) yield blockBytes(block);
  yield new Uint8Array(paddingBytes(sizeBytes));
  yield tarMember({ path: "data/after", data: text });
  yield tarEnd();
}

async function makeLargeImage(layout: string): Promise<void> {
  const child = new Deno.Command("gzip", { args: ["-1"], stdin: "piped", stdout: "piped" }).spawn();
  const plainHash = createHash("sha256");
  const feed = async () => {
    const writer = child.stdin.getWriter();
    for (const piece of tarPieces()) {
      plainHash.update(piece);
      await writer.write(piece);
    }
    await writer.close();
  };
  const store = async () => {
    const hash = createHash("sha256");
    const file = await Deno.open(`${layout}/blob`, { write: true, createNew: true });
    let sizeBytes = 0;
    for await (const piece of child.stdout) {
      hash.update(piece);
      sizeBytes += piece.length;
      for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
    }
    file.close();
    return { digest: `sha256:${hash.digest("hex")}`, sizeBytes };
  };
  const [{ digest, sizeBytes }] = await Promise.all([store(), feed(), child.status]);
  await Deno.mkdir(`${layout}/blobs/sha256`, { recursive: true });
  await Deno.rename(`${layout}/blob`, blobPath(layout, digest));
  const diffId = `sha256:${plainHash.digest("hex")}`;
  writeImage(layout, [{ mediaType: GZIP_LAYER, digest, diffId, sizeBytes }], ARCHITECTURE);
}
