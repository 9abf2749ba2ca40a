import assert from "node:assert/strict";
import { compareArchives, openArchive, treeDigest, withProfile, withSource } from "../../src/archive/mod.ts";
import { bytesSource, concatenate, equalBytes } from "../../src/base/mod.ts";
import { archiveOf, gzipLayer } from "../indexer/memory_image.ts";

const { test } = Deno;

test("another source: all else as it was, the profile too; the same source: the same bytes", async () => {
  const { bytes } = await archiveOf([gzipLayer({ path: "etc/motd", data: "hello\n" })]);
  const pieces: Uint8Array[] = [];
  const ranges = [{ layer: 0, plainOffset: 0, plainEndExclusive: 512 }];
  for await (const piece of withProfile(bytesSource(bytes, "one"), ranges)) pieces.push(piece);
  const profiled = bytesSource(concatenate(pieces), "profiled");
  const before = await openArchive(profiled);
  const same = concatenate(await withSource(profiled, before.image.source));
  assert(equalBytes(same, concatenate(pieces)));
  const moved = await openArchive(
    bytesSource(concatenate(await withSource(profiled, "docker://else/where@x")), "moved"),
  );
  assert.equal(moved.image.source, "docker://else/where@x");
  assert.deepEqual(moved.profile, before.profile);
  assert.equal(await compareArchives(moved, before), undefined);
  assert.equal(treeDigest(moved), treeDigest(await openArchive(bytesSource(bytes, "one"))));
  await moved.verify();
});

test("archives are compared: the first thing that differs is named", async () => {
  const make = async (data: string, mode = 0o644, spacingBytes = 131_072) => {
    const options = { strategy: "file", spacingBytes, fileCheckpointBytes: null } as const;
    const { bytes } = await archiveOf([gzipLayer({ path: "etc/motd", data, mode })], options);
    return await openArchive(bytesSource(bytes, "some.clip"));
  };
  const one = await make("hello\n");
  assert.equal(await compareArchives(one, await make("hello\n")), undefined);
  assert.equal(await compareArchives(one, await make("other\n")), "the image's manifestDigest");
  assert.equal(await compareArchives(one, await make("hello\n", 0o644, 262_144)), "the image's options");
  assert.equal(treeDigest(await make("hello\n", 0o644, 262_144)), treeDigest(one));
  assert.notEqual(treeDigest(await make("other\n")), treeDigest(one), "of the same tree, with other contents");
  assert.notEqual(treeDigest(await make("hello\n", 0o600)), treeDigest(one));
});
