/** clip mount --prefetch: what is there before anybody asks for it. */
import assert from "node:assert/strict";
import { sleep } from "../../src/base/mod.ts";
import type { FakeIo, Workplace } from "./fake_io.ts";
import { succeed } from "./fake_io.ts";
import { mountTest, startMount } from "./mounted.ts";

/** Mounts with `args`; once the log says `line`, the source goes, and `work` is done. */
async function mountedWithoutSource(
  { archive, directory, folder }: Workplace & { directory: string },
  { args, until }: { args: string[]; until: (io: FakeIo) => boolean },
  work: () => Promise<void>,
): Promise<string> {
  const cache = ["--cache-dir", `${folder}/cache`, "--log-level", "info"];
  const { io, status } = await startMount([archive, directory, ...cache, ...args]);
  try {
    while (!until(io)) await sleep(10);
    await Deno.rename(`${folder}/layout`, `${folder}/gone`);
    await work();
  } finally {
    io.stop.abort();
    assert.equal(await status, 0);
    await Deno.rename(`${folder}/gone`, `${folder}/layout`).catch(() => {});
    await Deno.remove(`${folder}/cache`, { recursive: true });
  }
  return io.err_;
}

/** Puts a file's layer into the archive's profile. */
async function addProfile({ archive, folder }: Workplace, layer: number): Promise<void> {
  const { layers } = JSON.parse(await succeed(["inspect", "--json", archive]));
  const lines = [{ clipProfile: 1 }, { diffId: layers[layer].diffId, ranges: [[0, 1]] }];
  await Deno.writeTextFile(`${folder}/p`, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  await succeed(["profile", "add", archive, `${folder}/p`]);
}

mountTest("the profile is fetched unless told otherwise, and nothing else", async (place) => {
  const { directory } = place;
  await addProfile(place, 1);
  const said = await mountedWithoutSource(
    place,
    { args: [], until: (io) => io.err_.includes("prefetched the profile in ") },
    async () => {
      assert.equal(await Deno.readTextFile(`${directory}/tmp/tagged`), "x");
      await assert.rejects(Deno.readTextFile(`${directory}/etc/passwd`), /os error 5/);
    },
  );
  assert.match(said, /prefetched the profile in [^\n]*; fetched since the mount: /);
  assert(!said.includes("prefetched the image"));
  await mountedWithoutSource(place, { args: ["--prefetch", "none"], until: () => true }, async () => {
    await assert.rejects(Deno.readTextFile(`${directory}/tmp/tagged`), /os error 5/);
  });
});

mountTest("all: the profile first, then the rest; without a profile the rest", async (place) => {
  const readBoth = async () => {
    assert.equal(await Deno.readTextFile(`${place.directory}/tmp/tagged`), "x");
    assert.equal(await Deno.readTextFile(`${place.directory}/etc/passwd`), "root:x:0:0\n");
  };
  const wanted = { args: ["--prefetch", "all"], until: (io: FakeIo) => io.err_.includes("prefetched the image in ") };
  const said = await mountedWithoutSource(place, wanted, readBoth);
  assert(!said.includes("prefetched the profile"));
  await addProfile(place, 0);
  const both = await mountedWithoutSource(place, wanted, readBoth);
  assert.match(both, /prefetched the profile in .*prefetched the image in /s);
});

mountTest("a prefetch that fails is a line in the log, and the mount goes on", async (place) => {
  const { archive, directory, folder } = place;
  await addProfile(place, 1);
  await Deno.rename(`${folder}/layout`, `${folder}/gone`);
  const { io, status } = await startMount([archive, directory, "--cache-dir", `${folder}/cache`]);
  try {
    while (io.err_ === "") await sleep(10);
    assert.match(io.err_, /^clip: warn: prefetching the profile failed: .*layout.*\n/);
    await Deno.rename(`${folder}/gone`, `${folder}/layout`);
    assert.equal(await Deno.readTextFile(`${directory}/etc/passwd`), "root:x:0:0\n");
  } finally {
    io.stop.abort();
    assert.equal(await status, 0);
  }
});
