import assert from "node:assert/strict";
import { inflateRawSync } from "node:zlib";
import {
  DataArchiveWriter,
  HEADER,
  HEADER_BYTES,
  openArchive,
  packContents,
  type PackedSection,
  packSection,
  SECTION,
  SECTION_BYTES,
  tableDigest,
} from "../../src/archive/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import { contents, directory, layer } from "./model_builder.ts";
import { openAndVerify, refuses } from "./signed.ts";

const LAYERS = [layer(0, 8192), layer(1, 4097), layer(0, 8192)];
const BLOBS = [0, 1].map((number) => new Uint8Array(LAYERS[number]!.info.compressedBytes).fill(number + 1));
const ROWS = 13;

async function write(
  blobs: readonly Uint8Array[],
  change: (sections: PackedSection[]) => PackedSection[] = (sections) => sections,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(64 * 1024);
  let archiveBytes = 0;
  const writer = new DataArchiveWriter({
    write(piece, offset) {
      bytes.set(piece, offset);
      archiveBytes = Math.max(archiveBytes, offset + piece.length);
      return Promise.resolve();
    },
  }, { hasProfile: false });
  for (const blob of blobs) await writer.add(blob);
  assert.equal(await writer.finish(change(packContents(contents(directory(), LAYERS)))), archiveBytes);
  return bytes.slice(0, archiveBytes);
}

/** As `write`, with other numbers of the layers in the image section. */
function writeImage(change: (layers: Record<string, number | string>[]) => void): Promise<Uint8Array<ArrayBuffer>> {
  return write(BLOBS, (sections) =>
    sections.map((section) => {
      if (section.name !== "image") return section;
      const packed = packContents(contents(directory(), LAYERS)).find(({ name }) => name === "image")!;
      const image = JSON.parse(new TextDecoder().decode(plainOf(packed)));
      change(image.layers);
      return packSection("image", new TextEncoder().encode(JSON.stringify(image)));
    }));
}

/** The image section's plain bytes: from an archive without data, where nothing else is in the way. */
function plainOf(packed: PackedSection): Uint8Array {
  assert.ok(packed.deflated);
  return inflateRawSync(packed.stored);
}

/** `archive` with `change` done to its first bytes, and a right digest of the header. */
function resigned(archive: Uint8Array<ArrayBuffer>, change: (view: DataView) => void): Uint8Array<ArrayBuffer> {
  const bytes = archive.slice();
  change(new DataView(bytes.buffer));
  const table = bytes.subarray(HEADER_BYTES, HEADER_BYTES + ROWS * SECTION_BYTES);
  bytes.set(tableDigest(bytes.subarray(0, HEADER_BYTES), table), HEADER.tableDigest.at);
  return bytes;
}

Deno.test("blobs lie in the archive end to end, equal ones once", async () => {
  const archive = await openAndVerify(await write(BLOBS));
  assert.ok(archive.carriesData);
  for (const [number, expected] of [0, 1, 0].entries()) {
    const blob = archive.blob(number)!;
    assert.deepEqual(await blob.readRange({ offset: 0, endExclusive: blob.sizeBytes }), BLOBS[expected]);
    assert.deepEqual(await Array.fromAsync(blob.stream({ offset: 10, endExclusive: 12 })), [
      BLOBS[expected]!.slice(10, 12),
    ]);
    await assert.rejects(blob.readRange({ offset: 0, endExclusive: blob.sizeBytes + 1 }), /asked of/);
  }
});

Deno.test("data that are not what the layers say are refused by name, digests right", async () => {
  const sound = await write(BLOBS);
  const [first, second] = BLOBS as [Uint8Array, Uint8Array];
  await refuses(await write([first]), /^layers\[1\]\.compressedBytes$/);
  await refuses(await write([first, second, first]), /^data section length$/);
  await refuses(await write([]), /^layers\[0\]\.compressedBytes$/);
  await refuses(
    await writeImage((layers) => layers[2]!.compressedBytes = 5),
    /^checkpoints\[\d+\]\.compressedBitOffset$/,
  );
  await refuses(
    await writeImage((layers) => layers[2]!.compressedBytes = first.length + 1),
    /^layers\[2\]\.compressedBytes$/,
  );
  await refuses(await writeImage((layers) => layers[0]!.compressedBytes = 2 ** 52), /^layers\[0\]\.compressedBytes$/);
  await refuses(
    await writeImage((layers) => layers[2]!.digest = `sha256:${"0".repeat(64)}`),
    /^layers\[2\]\.compressedBytes$/,
  );

  const row = HEADER_BYTES;
  const u64 = (field: keyof typeof SECTION, value: number) => (view: DataView) =>
    view.setBigUint64(row + SECTION[field].at, BigInt(value), true);
  const dataBytes = first.length + second.length;
  await refuses(resigned(sound, u64("offset", 960)), /^data offset$/);
  await refuses(resigned(sound, u64("storedBytes", dataBytes + 8)), /^data plain length$/);
  await refuses(
    resigned(sound, (view) => {
      u64("storedBytes", dataBytes + 8)(view);
      u64("plainBytes", dataBytes + 8)(view);
    }),
    /^image offset$/,
  );
  await refuses(
    resigned(sound, (view) => {
      u64("storedBytes", 2 ** 52)(view);
      u64("plainBytes", 2 ** 52)(view);
    }),
    /^image offset$/,
  );
  await refuses(resigned(sound, (view) => view.setUint32(row + SECTION.encoding.at, 1, true)), /^data encoding$/);
  await refuses(resigned(sound, (view) => view.setUint32(row + SECTION_BYTES, 14, true)), /^image id$/);
  const count = (rows: number) => (view: DataView) => view.setUint32(HEADER.sectionCount.at, rows, true);
  for (const rows of [12, 15]) await refuses(resigned(sound, count(rows)), /^section count$/);
});

Deno.test("damage in the data is found by verifying, and padding has to be zero", async () => {
  const sound = await write(BLOBS);
  const start = HEADER_BYTES + ROWS * SECTION_BYTES;
  const damaged = sound.slice();
  damaged[start + 5]! ^= 1;
  await openArchive(memoryRangeSource(damaged));
  await refuses(damaged, /^data section digest$/);
  const padded = sound.slice();
  const end = start + BLOBS[0]!.length + BLOBS[1]!.length;
  assert.ok(end % 8 !== 0);
  padded[end] = 1;
  await refuses(padded, /^padding after the data section$/);
});
