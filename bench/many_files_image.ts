/** An OCI layout of an image with one layer of many small files, named and cut as package managers install them. */
import { createHash } from "node:crypto";
import { ARCHITECTURE, blobPath, GZIP_LAYER, writeImage } from "../tests/e2e/oci_layout.ts";
import { tarEnd, tarMember } from "../tests/e2e/tar_writer.ts";

/** Files in a directory, which is about what `node_modules` has. */
const FILES_A_FOLDER = 20;
const PIECE_BYTES = 1 << 20;
const ENDINGS = [".js", ".d.ts", ".json", ".md", ".py", ".pyc", ".so", ""];
const WORDS = [
  "index",
  "parse",
  "stream",
  "utils",
  "LICENSE",
  "README",
  "async",
  "types",
  "config",
  "test",
  "__init__",
];

/** The tar in pieces of about a MiB: `files` regular files of 0 to 400 bytes, and the directories they are in. */
function* tarPieces(files: number): Generator<Uint8Array<ArrayBuffer>> {
  const piece = new Uint8Array(PIECE_BYTES + 8192);
  let length = 0;
  const text = new TextEncoder().encode("export const value = 'what small files say, mostly';\n".repeat(8));
  for (let made = 0, folder = 0; made < files; folder++) {
    const path = `usr/lib/node_modules/${WORDS[folder % 11]}-${(folder * 7919 % 65_536).toString(36)}/${folder % 3}`;
    const members = [{ path: `${path}/`, type: "5", mode: 0o755, mtime: `${1_600_000_000 + folder}` }];
    const count = Math.min(FILES_A_FOLDER, files - made);
    const names = Array.from({ length: count }, (_, i) => `${WORDS[(made + i) % 11]}_${i}${ENDINGS[(made + i) % 8]}`);
    for (const member of members) {
      const bytes = tarMember(member);
      piece.set(bytes, length);
      length += bytes.length;
    }
    for (const [i, name] of names.entries()) {
      const data = text.subarray(0, (made + i) * 31 % 400);
      const bytes = tarMember({ path: `${path}/${name}`, data, mode: i === 0 ? 0o755 : 0o644 });
      piece.set(bytes, length);
      length += bytes.length;
      if (length < PIECE_BYTES) continue;
      yield piece.slice(0, length);
      length = 0;
    }
    made += count;
  }
  yield piece.slice(0, length);
  yield tarEnd();
}

/** Makes the layout, whose tag is `latest`, in an empty folder. */
export async function writeManyFilesImage(layout: string, files: number): Promise<void> {
  await Deno.mkdir(`${layout}/blobs/sha256`, { recursive: true });
  const plainHash = createHash("sha256");
  const pieces = tarPieces(files);
  const plain = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const { value, done } = pieces.next();
      if (done) return controller.close();
      plainHash.update(value);
      controller.enqueue(value);
    },
  });
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const counted = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(bytes, controller) {
      hash.update(bytes);
      sizeBytes += bytes.length;
      controller.enqueue(bytes);
    },
  });
  const file = await Deno.open(`${layout}/blob`, { write: true, create: true });
  await plain.pipeThrough(new CompressionStream("gzip")).pipeThrough(counted).pipeTo(file.writable);
  const digest = `sha256:${hash.digest("hex")}`;
  await Deno.rename(`${layout}/blob`, blobPath(layout, digest));
  const diffId = `sha256:${plainHash.digest("hex")}`;
  writeImage(layout, [{ mediaType: GZIP_LAYER, digest, diffId, sizeBytes }], ARCHITECTURE);
}
