/** The folder of archives by image: one maker at a time, room, records of what names mean. */
import assert from "node:assert/strict";
import { ClipError, createLogger, sha256, sleep } from "../../src/base/mod.ts";
import { ImageArchives, type KnownImage, type ScanLayerOptions } from "../../src/indexer/mod.ts";

const { test } = Deno;
const OPTIONS: ScanLayerOptions = { strategy: "exact", spacingBytes: 2 ** 21, fileCheckpointBytes: null };
const digest = (text: string) => sha256(new TextEncoder().encode(text));
const image = (text: string): KnownImage => ({
  name: `docker://host/${text}:v1 linux/amd64`,
  rootDigest: digest(`${text} root`),
  manifestDigest: digest(text),
  configDigest: digest(`${text} config`),
  source: `docker://host/${text}@${digest(text)}`,
});

/** Runs `work` with a folder of its own and what was logged. */
async function inFolder(work: (folder: string, logged: string[]) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-archives-" });
  try {
    await work(folder, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function open(folder: string, logged: string[], maxBytes?: number): ImageArchives {
  const log = createLogger({ level: "info", json: false, write: (line) => logged.push(line) });
  return new ImageArchives(folder, { log, ...(maxBytes === undefined ? {} : { maxBytes }) });
}

test("of those who want an archive at once one makes it, and the others wait", () =>
  inFolder(async (parent, logged) => {
    const folder = `${parent}/new`;
    const path = open(folder, logged).path(image("a"), OPTIONS);
    let made = 0;
    const make = async () => {
      made++;
      await sleep(50);
      return [new Uint8Array([1, 2, 3])];
    };
    // A folder of archives each, as processes have.
    await Promise.all([1, 2, 3, 4].map(() => open(folder, logged).obtain(path, { make })));
    assert.equal(made, 1);
    assert.deepEqual([...await Deno.readFile(path)], [1, 2, 3]);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`), [path], "no lock is left");
    assert.deepEqual(logged, []);
  }));

test("who fails lets the next one try, and nothing is left of it", () =>
  inFolder(async (folder, logged) => {
    const archives = open(folder, logged);
    const path = archives.path(image("a"), OPTIONS);
    const begun = Promise.withResolvers<void>();
    const end = Promise.withResolvers<never>();
    const make = () => {
      begun.resolve();
      return end.promise;
    };
    const broken = archives.obtain(path, { make });
    await begun.promise; // it has the lock
    const sound = open(folder, logged).obtain(path, { make: () => Promise.resolve([new Uint8Array(1)]) });
    end.reject(new ClipError("corrupt", "layer 0"));
    await assert.rejects(broken, /layer 0/);
    await sound;
    assert.equal([...Deno.readDirSync(folder)].length, 1);
  }));

test("a maker that is killed has let go; who waits is told, and may give up", () =>
  inFolder(async (folder, logged) => {
    const archives = open(folder, logged);
    const path = archives.path(image("a"), OPTIONS);
    const script = `const file = await Deno.open(Deno.args[0], { create: true, write: true });
      await file.lock(true); Deno.stdout.writeSync(new Uint8Array([10])); await new Promise((r) => setTimeout(r, 60000));`;
    await Deno.writeTextFile(`${folder}/hold.ts`, script);
    const args = ["run", "-A", "--quiet", `${folder}/hold.ts`, `${path}.lock`];
    const holder = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
    const reader = holder.stdout.getReader();
    await reader.read();
    const make = () => Promise.resolve([new Uint8Array(1)]);
    const stop = new AbortController();
    const givenUp = archives.obtain(path, { make, signal: stop.signal });
    const patient = archives.obtain(path, { make });
    stop.abort(new DOMException("interrupted", "AbortError"));
    await assert.rejects(givenUp, /interrupted/);
    while (logged.length === 0) await sleep(50);
    assert.match(logged[0]!, /another clip indexes this image/);
    assert.equal(await archives.has(path), false);
    holder.kill("SIGKILL");
    await patient;
    assert.equal(await archives.has(path), true);
    await holder.status;
    await reader.cancel();
  }));

test("the file depends on the image, on its config, and on all options", () =>
  inFolder((folder, logged) => {
    const archives = open(folder, logged);
    const a = image("a");
    const paths = [
      archives.path(a, OPTIONS),
      archives.path({ ...a, manifestDigest: digest("other") }, OPTIONS),
      archives.path({ ...a, configDigest: digest("other") }, OPTIONS),
      archives.path(a, { ...OPTIONS, strategy: "file" }),
      archives.path(a, { ...OPTIONS, spacingBytes: 2 ** 20 }),
      archives.path(a, { ...OPTIONS, fileCheckpointBytes: 0 }),
    ];
    assert.equal(new Set(paths).size, paths.length);
    assert.match(paths[0]!, /\/sha256_[0-9a-f]{64}-[0-9a-f]{8}\.clip$/);
    assert.equal(
      archives.path({ ...a, name: "other", rootDigest: digest("other"), source: "" } as KnownImage, OPTIONS),
      paths[0],
    );
    return Promise.resolve();
  }));

test("past the cap, archives used longest ago go, never the one just made", () =>
  inFolder(async (folder, logged) => {
    const archives = open(folder, logged, 250);
    const [a, b, c] = ["a", "b", "c"].map((name) => archives.path(image(name), OPTIONS)) as [string, string, string];
    const make = () => Promise.resolve([new Uint8Array(100)]);
    await archives.obtain(a, { make });
    await archives.obtain(b, { make });
    await Deno.utime(a, 1, 1);
    await Deno.utime(b, 2, 2);
    assert.equal(await archives.has(a), true, "a use");
    await archives.obtain(c, { make });
    assert.deepEqual([await archives.has(a), await archives.has(b), await archives.has(c)], [true, false, true]);
    const small = open(folder, logged, 1);
    const d = small.path(image("d"), OPTIONS);
    await small.obtain(d, { make });
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`), [d]);
  }));

test("what a name meant is remembered; a record that is not one is told of, and unknown", () =>
  inFolder(async (folder, logged) => {
    const archives = open(folder, logged);
    const a = image("a");
    assert.equal(await archives.known(a.name), undefined);
    await archives.remember(a);
    const { version, ...known } = await archives.known(a.name) as KnownImage & { version: number };
    assert.equal(version, 1);
    assert.deepEqual(known, a);
    assert.equal(await archives.known(image("b").name), undefined);
    assert.deepEqual(logged, []);
    const [file] = [...Deno.readDirSync(folder)];
    const path = `${folder}/${file!.name}`;
    const sound = await Deno.readTextFile(path);
    const broken = ["", "null", "[]", sound.replace("sha256:", "sha256;"), sound.replace('"version":1', '"version":2')];
    broken.push(sound.replace("host/a", "host/b"), " ".repeat(70_000) + sound, sound.slice(0, -10));
    for (const text of broken) {
      await Deno.writeTextFile(path, text);
      assert.equal(await archives.known(a.name), undefined, text);
    }
    assert.equal(logged.length, broken.length);
    assert.match(logged[0]!, /cannot use .*\.image\.json/);
  }));

test("a folder that cannot be made is an error for archives, and a warning for records", () =>
  inFolder(async (folder, logged) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const archives = open(`${folder}/file/below`, logged);
    const make = () => Promise.resolve([new Uint8Array(1)]);
    await assert.rejects(
      archives.obtain(archives.path(image("a"), OPTIONS), { make }),
      /cannot keep archives in .*below/,
    );
    await archives.remember(image("a"));
    assert.match(logged[0]!, /cannot note what docker:\/\/host\/a:v1 linux\/amd64 is/);
  }));

test("archives of another origin are other files; what cannot be made leaves nothing", () =>
  inFolder(async (folder, logged) => {
    const archives = open(folder, logged);
    const paths = [undefined, "pulled", "pulled, signed"].map((origin) => archives.path(image("a"), OPTIONS, origin));
    assert.equal(new Set(paths).size, 3);
    assert.equal(await archives.obtain(paths[1]!, { make: () => Promise.resolve(undefined) }), false);
    assert.deepEqual([...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".clip")), []);
    assert.equal(await archives.obtain(paths[1]!, { make: () => Promise.resolve([new Uint8Array(3)]) }), true);
    assert.equal(await archives.has(paths[0]!), false);
  }));
