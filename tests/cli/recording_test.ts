/** clip mount --record: what it writes, when, and for how long. */
import assert from "node:assert/strict";
import { sleep } from "../../src/base/mod.ts";
import { parseProfile } from "../../src/content/mod.ts";
import { fail, succeed, type Workplace } from "./fake_io.ts";
import { mountTest, startMount, whileMounted } from "./mounted.ts";

/** The layers that a profile names, by number, in order. */
async function layersIn(path: string, { archive }: Workplace): Promise<number[]> {
  const { layers } = JSON.parse(await succeed(["inspect", "--json", archive]));
  const diffIds = layers.map(({ diffId }: { diffId: string }) => diffId);
  return parseProfile(await Deno.readTextFile(path), path).map(({ diffId }) => diffIds.indexOf(diffId));
}

mountTest("what is read is recorded in its order, cached or not", async (place) => {
  const { archive, directory, folder } = place;
  const args = [archive, directory, "--cache-dir", `${folder}/cache`, "--record", `${folder}/p`];
  const read = async () => {
    await Deno.readTextFile(`${directory}/tmp/tagged`);
    await Deno.readTextFile(`${directory}/etc/passwd`);
    await Deno.readTextFile(`${directory}/etc/group`);
  };
  for (const _ of ["nothing cached", "everything cached", "and verified"]) {
    assert.equal(await whileMounted(args, read), "");
    assert.deepEqual(await layersIn(`${folder}/p`, place), [1, 0]);
  }
  // Prefetched: touched by readers none the less, and by nobody else.
  await succeed(["profile", "add", archive, `${folder}/p`]);
  await whileMounted(args, async () => void await Deno.readTextFile(`${directory}/etc/passwd`));
  assert.deepEqual(await layersIn(`${folder}/p`, place), [0]);
  await whileMounted([...args, "--prefetch", "all"], () => sleep(200));
  assert.deepEqual(await layersIn(`${folder}/p`, place), []);
});

mountTest("it is written while the mount lives, and no longer than asked for", async (place) => {
  const { archive, directory, folder } = place;
  const args = [archive, directory, "--cache-dir", `${folder}/cache`, "--record", `${folder}/p`, "--log-level", "info"];
  const { io, status } = await startMount([...args, "--record-for", "2.5s"]);
  try {
    assert.deepEqual(await layersIn(`${folder}/p`, place), []);
    await Deno.readTextFile(`${directory}/tmp/tagged`);
    while ((await layersIn(`${folder}/p`, place)).length === 0) await sleep(50);
    while (!io.err_.includes("recorded")) await sleep(50);
    assert.match(io.err_, /recorded 1 span of the first 2\.50 s to .*\/p\n/);
    await Deno.readTextFile(`${directory}/etc/passwd`);
  } finally {
    io.stop.abort();
    assert.equal(await status, 0);
  }
  assert.deepEqual(await layersIn(`${folder}/p`, place), [1]);
  assert.equal(io.err_.split("recorded").length, 2, "told of once");
});

mountTest("a profile that cannot be written is an error at the start", async ({ archive, directory, folder }) => {
  const args = ["mount", archive, directory, "--cache-dir", folder];
  assert.match(await fail([...args, "--record", `${folder}/none/p`], 1), /cannot write .*none\/p/);
  assert.match(await fail([...args, "--record", folder], 1), /it is a directory/);
  assert.match(await fail([...args, "--record-for", "1s"], 2), /--record-for goes with --record/);
  assert.match(await fail([...args, "--record", `${folder}/p`, "--record-for", "soon"], 2), /"soon" is not a duration/);
  assert.deepEqual([...Deno.readDirSync(directory)], []);
});
