import assert from "node:assert/strict";
import { SILENT } from "../../src/base/mod.ts";
import { type Archive, S_IFIFO } from "../../src/archive/mod.ts";
import { Content, verifyLayers } from "../../src/content/mod.ts";
import { e2eTest, type Workbench } from "../e2e/workbench.ts";
import { mustRun } from "../e2e/programs.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import { opened, pack } from "./packing.ts";

const CHUNK_BYTES = 512 * 1024;

/** Bytes that nothing compresses, the same for the same seed. */
function randomBytes(seed: number, lengthBytes: number): Uint8Array<ArrayBuffer> {
  return new SeededRandom(seed).bytes(lengthBytes);
}

async function read(archive: Archive, path: string): Promise<Uint8Array> {
  const content = new Content({
    archive,
    blob: (layer) => archive.blob(layer)!,
    cache: undefined,
    useCheckpoints: true,
    decodeWorkers: 0,
    log: SILENT,
  });
  try {
    const inode = archive.tree.find(path)!;
    const bytes = new Uint8Array(archive.tree.sizeBytes(inode));
    assert.equal(await content.read(inode, 0, bytes.length, bytes, 0), bytes.length);
    return bytes;
  } finally {
    content.close();
  }
}

/** A directory with contents that are alike in all the ways that are made use of. */
async function treeOfCopies(bench: Workbench): Promise<{ tree: string; files: Record<string, Uint8Array> }> {
  const tree = bench.directory("tree");
  const [one, two, three] = [randomBytes(1, CHUNK_BYTES), randomBytes(2, CHUNK_BYTES), randomBytes(3, 700)];
  const join = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));
  const files: Record<string, Uint8Array> = {
    "/a short": three,
    "/another": three,
    "/empty": new Uint8Array(0),
    "/long": join(one, two, three),
    "/longer": join(two, three, randomBytes(4, 900_000)),
    "/one chunk": one,
    "/swapped": join(two, one),
  };
  for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(tree + name, bytes);
  return { tree, files };
}

e2eTest("what is equal is kept once, be it files or chunks, and all is read back", [], async (bench) => {
  const { tree, files } = await treeOfCopies(bench);
  const bytes = await pack(tree);
  const archive = await opened(bytes);
  await archive.verify();
  for (const [path, expected] of Object.entries(files)) assert.deepEqual(await read(archive, path), expected, path);
  const verified = await verifyLayers(archive, { blob: (layer) => archive.blob(layer)! });
  // one, two, three (in `a short` and at the end of `long`), and what begins in the middle of a chunk of `longer`.
  const own = files["/longer"]!.length - CHUNK_BYTES;
  assert.equal(verified.plainBytes, 2 * CHUNK_BYTES + 700 + own);
  assert.deepEqual(await pack(tree), bytes, "the same tree gives the same bytes");
});

e2eTest("nothing blocks, and sockets, pipes and holes stay what they are", [], async (bench) => {
  const tree = bench.directory("tree");
  await mustRun(["mkfifo", `${tree}/pipe`]);
  using _socket = Deno.listen({ transport: "unix", path: `${tree}/socket` });
  await mustRun(["truncate", "-s", "9M", `${tree}/hole`]);
  await Deno.writeFile(`${tree}/sparse`, new Uint8Array(0));
  const sparse = await Deno.open(`${tree}/sparse`, { write: true });
  await sparse.truncate(4 * CHUNK_BYTES);
  await sparse.seek(2 * CHUNK_BYTES, Deno.SeekMode.Start);
  await sparse.write(new TextEncoder().encode("data"));
  sparse.close();
  const archive = await opened(await pack(tree));
  const { tree: packed } = archive;
  assert.equal(packed.type(packed.find("/pipe")!), S_IFIFO);
  assert.equal(packed.type(packed.find("/socket")!), 0o140000);
  assert.deepEqual([...packed.extents(packed.find("/hole")!)], []);
  const expected = new Uint8Array(4 * CHUNK_BYTES);
  expected.set(new TextEncoder().encode("data"), 2 * CHUNK_BYTES);
  assert.deepEqual(await read(archive, "/sparse"), expected);
  assert.ok(archive.layers.layerPlainBytes[0]! < CHUNK_BYTES, "holes are not stored");
});

e2eTest("a file that changes while it is read is named", [], async (bench) => {
  const tree = bench.directory("tree");
  await Deno.writeFile(`${tree}/big`, new Uint8Array(100 * CHUNK_BYTES));
  const growing = `${tree}/big`;
  const packing = pack(tree);
  // The first turn of the event loop that packing gives comes after twenty milliseconds of reading.
  const touching = setInterval(() => Deno.writeFileSync(growing, new Uint8Array(1), { append: true }), 1);
  try {
    await assert.rejects(packing, (error: Error) => {
      assert.match(error.message, /tree\/big changed while it was read: it /);
      return true;
    });
  } finally {
    clearInterval(touching);
  }
});
