/** Indexes that somebody has tampered with: what is caught when. docs/security.md says the same in words. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type ArchiveContents,
  openArchive,
  type Span,
  SpanList,
  type StoredCheckpoint,
} from "../../src/archive/mod.ts";
import { bytesSource, equalBytes } from "../../src/base/mod.ts";
import { verifyLayers } from "../../src/content/mod.ts";
import { verifyIndex } from "../../src/distribution/mod.ts";
import { inodeColumn, sectionsOf, tampered } from "../archive/signed.ts";
import { makeSample, NO_CACHE, openSample, readFile, type Sample } from "../content/sample.ts";
import { archiveOf, memoryImage, SMALL_SPANS } from "../indexer/memory_image.ts";
import { failure } from "../oci/test_support.ts";
import { PlantedRegistry } from "./planted.ts";

const { test } = Deno;

interface Setting {
  readonly planted: PlantedRegistry;
  readonly sample: Sample;
  /** The honest archive. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

async function withSample(work: (setting: Setting) => Promise<void>): Promise<void> {
  const sample = await makeSample();
  const planted = new PlantedRegistry(memoryImage(sample.layers).image);
  try {
    await work({ planted, sample, bytes: (await archiveOf(sample.layers)).bytes as Uint8Array<ArrayBuffer> });
  } finally {
    await planted.registry.stop();
  }
}

/** Makes the index anew as `--verify-index` does; what it says. */
async function verified(bytes: Uint8Array, { layers }: Sample): Promise<string> {
  const archive = await openArchive(bytesSource(bytes, "pulled"));
  try {
    await verifyIndex(archive, async ({ scan, starts }) => [(await archiveOf(layers, { ...scan, starts })).bytes]);
    return "equal";
  } catch (error) {
    return (error as Error).message;
  }
}

/** Pulls this archive, which nothing finds fault with. */
async function pulled({ planted }: Setting, bytes: Uint8Array): Promise<Uint8Array> {
  planted.clear();
  planted.plant(planted.manifest(bytes));
  const { bytes: taken, archive } = (await planted.pull())!;
  assert.equal(archive.image.source, planted.source, "not whatever it says");
  return taken;
}

/** Reads a file through an archive and the image's true layers. */
async function read(bytes: Uint8Array, { sources }: Sample, path: string, offset = 0, length = 1 << 24) {
  const archive = await openArchive(bytesSource(bytes, "pulled"));
  const content = openSample({ archive, sources }, { cache: NO_CACHE });
  try {
    return await readFile(content, path, offset, length);
  } finally {
    content.close();
  }
}

test("an honest index: pulled, read, and equal to the one made anew", () =>
  withSample(async (setting) => {
    const taken = await pulled(setting, setting.bytes);
    assert.equal(await verified(taken, setting.sample), "equal");
    assert(equalBytes(await read(taken, setting.sample, "/upper"), setting.sample.files.get("/upper")!));
  }));

test("pulling finds an index of another image, and bytes that are not those of its digest", () =>
  withSample(async ({ planted, bytes }) => {
    const image = (change: (image: Record<string, unknown> & { layers: Record<string, unknown>[] }) => void) =>
      tampered(bytes, (sections) => {
        const value = JSON.parse(new TextDecoder().decode(sections.image));
        change(value);
        sections.image = new TextEncoder().encode(JSON.stringify(value));
      });
    const other = `sha256:${"5".repeat(64)}`;
    const flipped = bytes.slice();
    flipped[bytes.length >> 1]! ^= 1;
    const cases: [RegExp, Uint8Array][] = [
      [/bad manifestDigest: found sha256:5555/, image((value) => value["manifestDigest"] = other)],
      [/bad configDigest/, image((value) => value["configDigest"] = other)],
      [/bad layers\[1\]\.diffId/, image((value) => value.layers[1]!["diffId"] = other)],
      [/bad layers\[2\]\.digest/, image((value) => value.layers[2]!["digest"] = other)],
      [/bad layers\[0\]\.compressedBytes/, image((value) => (value.layers[0]!["compressedBytes"] as number)++)],
      [/manifest: digest mismatch/, tampered(bytes, ({ manifest }) => manifest[40]! ^= 1)],
      [/section digest/, flipped],
      [/not a \.clip file/, new Uint8Array(5000)],
    ];
    for (const [expected, archive] of cases) {
      planted.clear();
      planted.plant(planted.manifest(archive));
      assert.match((await failure(() => planted.pull())).message, expected);
    }
    planted.clear();
    const manifest = planted.manifest(bytes);
    planted.plant(manifest);
    const [{ digest }] = manifest["layers"] as [{ digest: string }];
    planted.registry.blobs.set(digest, flipped as Uint8Array<ArrayBuffer>);
    assert.equal((await failure(() => planted.pull())).code, "digest_mismatch");
  }));

test("a tree that points elsewhere: shown, with other bytes of the layers, until the index is made anew", () =>
  withSample(async (setting) => {
    const { sample } = setting;
    const [small, upper] = ["/small/3", "/small/4"].map((path) => sample.archive.tree.find(path)!);
    const archive = tampered(setting.bytes, (sections) => {
      for (const name of ["placeLow", "sizeLow"] as const) {
        const column = inodeColumn(sections, name);
        column[small!] = column[upper!]!;
      }
    });
    const taken = await pulled(setting, archive);
    assert(equalBytes(await read(taken, sample, "/small/3"), sample.files.get("/small/4")!));
    assert.equal(await verified(taken, sample), "pulled is not what its layers say: the file tree (inodes) differs");
  }));

/** An archive of the sample in which the layer's first checkpoint that has a window is changed, or a span is. */
async function changed(
  { layers }: Sample,
  change: (layer: { checkpoints: StoredCheckpoint[]; spans: Span[] }) => void,
): Promise<Uint8Array> {
  const of = (contents: ArchiveContents): ArchiveContents => {
    const [first, ...rest] = contents.layers;
    const { checkpoints, spans } = { checkpoints: [...first!.checkpoints], spans: [...first!.spans] };
    change({ checkpoints, spans });
    return { ...contents, layers: [{ ...first!, checkpoints, spans: SpanList.of(spans) }, ...rest] };
  };
  return (await archiveOf(layers, SMALL_SPANS, of)).bytes;
}

test("span digests that are others: the read fails, and every check finds it", () =>
  withSample(async (setting) => {
    const { sample } = setting;
    const archive = await changed(sample, ({ spans }) => {
      [spans[0], spans[1]] = [{ ...spans[0]!, digest: spans[1]!.digest }, { ...spans[1]!, digest: spans[0]!.digest }];
    });
    const taken = await pulled(setting, archive);
    await assert.rejects(read(taken, sample, "/small/0"), /span 0 of layer 0: digest mismatch/);
    assert.match(await verified(taken, sample), /: span 0 of layer 0 differs, unless another version of clip made it$/);
  }));

test("window bytes: never wrong ones; with the digest of what they make, forged until the index is made anew", () =>
  withSample(async (setting) => {
    const { sample } = setting;
    const inode = sample.archive.tree.find("/large")!;
    const filePlace = inodeColumn(sectionsOf(setting.bytes), "placeLow")[inode]!;
    // A read of some bytes in the middle, which nothing but that window leads to.
    let place = 0;
    const digests = new Map<string, string>();
    const forge = () =>
      changed(sample, ({ checkpoints, spans }) => {
        const { checkpoint: number } = spans.find(({ checkpoint, plainOffset }) =>
          plainOffset > 300_000 && checkpoints[checkpoint]!.packedWindow.length > 1000
        )!;
        place = checkpoints[number]!.plainOffset - filePlace;
        const packedWindow = checkpoints[number]!.packedWindow.slice();
        for (let i = packedWindow.length - 500; i < packedWindow.length; i++) packedWindow[i]! ^= 0x20;
        checkpoints[number] = { ...checkpoints[number]!, packedWindow };
        spans.forEach((span, i) => {
          const digest = digests.get(Buffer.from(span.digest).toString("hex"));
          if (digest !== undefined) spans[i] = { ...span, digest: Buffer.from(digest, "hex") };
        });
      });
    const onlyWindow = await pulled(setting, await forge());
    const spanBytes = 64 * 1024;
    const honest = sample.files.get("/large")!.subarray(place, place + spanBytes);
    const healed = await read(onlyWindow, sample, "/large", place, spanBytes);
    assert(equalBytes(healed, honest), "decoded from another checkpoint, as its digest is not right from this one");
    assert.match(await verified(onlyWindow, sample), /: the window of checkpoint \d+ differs, unless/);

    const blob = (layer: number) => sample.sources[layer]!;
    for (let tries = 0; tries < 8; tries++) {
      const archive = await openArchive(bytesSource(await forge(), "forged"));
      const error = await verifyLayers(archive, { blob }).then(() => undefined, (error) => error);
      if (error === undefined) break;
      const [, found, expected] = /found sha256:(\w+), expected sha256:(\w+)/.exec(String(error))!;
      digests.set(expected!, found!);
    }
    assert(digests.size > 0);
    const forged = await pulled(setting, await forge());
    const bytes = await read(forged, sample, "/large", place, spanBytes);
    assert(bytes.length === honest.length && !equalBytes(bytes, honest), "what docs/security.md warns of");
    assert.match(await verified(forged, sample), /: span \d+ of layer 0 differs, unless/);
  }));
