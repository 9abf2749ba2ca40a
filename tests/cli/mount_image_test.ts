/** clip mount IMAGE: an image instead of an archive, and --offline. */
import assert from "node:assert/strict";
import { clip, fail } from "./fake_io.ts";
import { mountTest, startMount, whileMounted } from "./mounted.ts";

const AMD64 = ["--platform", "linux/amd64"];

/** Names of the archives in a cache folder. */
function archivesIn(cache: string): string[] {
  return [...Deno.readDirSync(`${cache}/archives`)].map(({ name }) => name).filter((name) => name.endsWith(".clip"));
}

mountTest("an image is indexed once, and mounted under its name", async ({ image, directory, folder, archive }) => {
  const cache = `${folder}/cache`;
  const args = [image, directory, "--cache-dir", cache, "--index-cache", "none", ...AMD64];
  const { io, status } = await startMount([...args, "--progress", "plain"]);
  assert.equal(io.text, `mounted ${image} on ${await Deno.realPath(directory)}\n`);
  assert.match(io.err_, /^(layer [01] .*\n){4}$/);
  assert.equal(await Deno.readTextFile(`${directory}/link`), "root:x:0:0\n");
  io.stop.abort();
  assert.equal(await status, 0);
  const [name] = archivesIn(cache);
  assert.deepEqual(
    await Deno.readFile(`${cache}/archives/${name}`),
    await Deno.readFile(archive),
    "as clip index has it",
  );
  const read = async () => assert.equal(await Deno.readTextFile(`${directory}/etc/group`), "root:x:0:\n");
  assert.equal(await whileMounted(args, read), "", "nothing was indexed again");
  assert.notEqual(
    await whileMounted([...args, "--file-checkpoints", "off"], read),
    "",
    "other options, another archive",
  );
  assert.equal(archivesIn(cache).length, 2);
});

mountTest("an archive that was damaged in the cache folder is made again", async ({ image, directory, folder }) => {
  const cache = `${folder}/cache`;
  const args = [image, directory, "--cache-dir", cache, "--progress", "none", ...AMD64];
  const read = async () => assert.equal(await Deno.readTextFile(`${directory}/etc/group`), "root:x:0:\n");
  await whileMounted(args, read);
  const [name] = archivesIn(cache);
  const path = `${cache}/archives/${name}`;
  const sound = await Deno.readFile(path);
  await Deno.writeFile(path, sound.with(900, sound[900]! ^ 1));
  assert.match(await whileMounted(args, read), /the image is indexed again: archive .*digest/);
  assert.deepEqual(await Deno.readFile(path), sound);
  await Deno.remove(path);
  await whileMounted(args, read);
  assert.deepEqual(await Deno.readFile(path), sound);
});

mountTest("a name that has come to mean another image is noticed", async ({ image, directory, folder, layout }) => {
  const args = [image, directory, "--cache-dir", `${folder}/cache`, "--progress", "none", ...AMD64];
  await whileMounted(args, async () => assert((await Deno.readTextFile(`${directory}/link`)).startsWith("root")));
  // The tag leaves: had the archive been taken without asking, nobody would have noticed.
  await Deno.writeTextFile(`${layout.path}/index.json`, '{"schemaVersion":2,"manifests":[]}');
  assert.match(await fail(["mount", ...args], 1), /v1/);
});

mountTest("offline: what is cached is read, the rest is EIO and a line; no source is opened", async (place) => {
  const { image, directory, folder } = place;
  const args = [image, directory, "--cache-dir", `${folder}/cache`, "--progress", "none", ...AMD64];
  assert.match(await fail(["mount", "--offline", ...args], 1), /cannot open oci:.* offline: .*never looked up here/);
  await whileMounted(args, async () => assert.equal(await Deno.readTextFile(`${directory}/link`), "root:x:0:0\n"));
  await Deno.rename(`${folder}/layout`, `${folder}/gone`);
  assert.match(await fail(["mount", ...args], 1), /layout/);
  const said = await whileMounted(["--offline", ...args], async () => {
    assert.equal(await Deno.readTextFile(`${directory}/etc/passwd`), "root:x:0:0\n");
    await assert.rejects(Deno.readTextFile(`${directory}/tmp/tagged`), /os error 5/);
  });
  assert.match(said, /^clip: error: cannot read \/tmp\/tagged: [^\n]*--offline[^\n]* layer=1 span=0\n/);
  const other = await fail(["mount", "--offline", "--use-case", "fast-read", ...args], 1);
  assert.match(other, /not indexed here.*same options/);
});

mountTest("offline holds for archives too", async ({ archive, directory, folder }) => {
  const args = ["--offline", "--cache-dir", `${folder}/cache`];
  const said = await whileMounted(
    [archive, directory, ...args],
    () => assert.rejects(Deno.readTextFile(`${directory}/etc/passwd`), /os error 5/),
  );
  assert.match(said, /cannot read \/etc\/passwd: [^\n]*--offline/);
  const { status, err } = await clip(["cat", ...args, archive, "/etc/passwd"]);
  assert.equal(status, 1);
  assert.match(err, /--offline/);
});

mountTest("what can be nothing but a file is not asked of a registry", async ({ directory, folder }) => {
  const cache = ["--cache-dir", `${folder}/cache`];
  for (const name of ["none.clip", "./none", "../none", `${folder}/none`]) {
    assert.match(await fail(["mount", name, directory, ...cache], 1), /cannot read .*none.*: it does not exist/);
  }
  assert.match(
    await fail(["mount", "Not/An image", directory, ...cache], 2),
    /"Not\/An image" is not an image reference/,
  );
  // Before anything is looked up or indexed.
  assert.match(await fail(["mount", "oci:none", `${folder}/nowhere`, ...cache], 1), /nowhere does not exist/);
});
