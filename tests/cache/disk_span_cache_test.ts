import assert from "node:assert/strict";
import { ClipError, type Digest } from "../../src/base/mod.ts";
import { diskSpanCache, type LayerCache, type LayerKey } from "../../src/cache/mod.ts";
import { cacheContract } from "./cache_contract.ts";
import { startChild } from "./child_process.ts";
import { layerUse } from "./layer_use.ts";

const DIGEST = `sha256:${"ab".repeat(32)}` as Digest;
const KEY: LayerKey = { diffId: DIGEST, plainBytes: 64 << 20, spans: 64, partition: "0123456789abcdef" };
const DATA_NAME = `sha256_${"ab".repeat(32)}`;
const SPAN = new Uint8Array(1 << 20).fill(7);

// The C library is opened at the first layer and kept; the test that happens to be first is not to blame for it.
const warmUp = Deno.makeTempDirSync({ prefix: "clip-cache-" });
diskSpanCache(warmUp).openLayer(KEY).close();
Deno.removeSync(warmUp, { recursive: true });

cacheContract("diskSpanCache", async () => {
  const folder = await Deno.makeTempDir({ prefix: "clip-cache-" });
  return {
    open: () => diskSpanCache(`${folder}/made/when/needed`),
    close: () => Deno.remove(folder, { recursive: true }),
  };
});

/** Runs `body` with a layer in a folder that is made for it. */
async function withLayer(body: (layer: LayerCache, folder: string) => void | Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "clip-cache-" });
  const layer = diskSpanCache(`${parent}/cache`).openLayer(KEY);
  try {
    await body(layer, `${parent}/cache`);
  } finally {
    layer.close();
    await Deno.remove(parent, { recursive: true });
  }
}

/** Fails unless `work` throws an io error whose message `message` matches. */
function failsWithIo(work: () => void, message: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof ClipError && error.code === "io", String(error));
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("folder and files are for the owner alone", () =>
  withLayer((layer, folder) => {
    layer.write(0, 0, SPAN);
    assert.equal(Deno.statSync(folder).mode! & 0o777, 0o700);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      DATA_NAME,
      `${DATA_NAME}.${KEY.partition}.map`,
    ]);
    for (const { name } of Deno.readDirSync(folder)) {
      assert.equal(Deno.statSync(`${folder}/${name}`).mode! & 0o777, 0o600, name);
    }
  }));

Deno.test("the data file is as long as the layer, and takes the room of the spans that are there", () =>
  withLayer((layer, folder) => {
    const stat = () => Deno.statSync(`${folder}/${DATA_NAME}`);
    assert.equal(layer.dataPath, `${folder}/${DATA_NAME}`);
    assert.equal(stat().size, KEY.plainBytes);
    assert.equal(stat().blocks, 0);
    layer.write(40, 40 << 20, SPAN);
    assert.equal(stat().size, KEY.plainBytes);
    assert.ok(stat().blocks! * 512 >= SPAN.length && stat().blocks! * 512 < 2 * SPAN.length);
  }));

Deno.test("a data file that somebody has cut is read as far as it goes", () =>
  withLayer((layer, folder) => {
    layer.write(2, 2 << 20, SPAN);
    Deno.truncateSync(`${folder}/${DATA_NAME}`, (2 << 20) + 1000);
    assert.equal(layer.read(2 << 20, new Uint8Array(1000)), true);
    assert.equal(layer.read(2 << 20, new Uint8Array(1001)), false);
    assert.equal(layer.has(2), true, "being present is a hint");
    failsWithIo(() => layer.write(2, 2 << 20, SPAN), /somebody has cut it short/);
    assert.equal(layer.admit(3, 4), false);
  }));

Deno.test("a data file that was cut is made whole once nobody relies on what was in it", () =>
  withLayer((other, folder) => {
    other.write(2, 2 << 20, SPAN);
    other.close();
    const use = layerUse({ spans: KEY.spans, spanBytes: 1 << 20 });
    const layer = diskSpanCache(folder).openLayer(KEY, use);
    const second = diskSpanCache(folder).openLayer(KEY);
    Deno.truncateSync(`${folder}/${DATA_NAME}`, 5000);
    failsWithIo(() => layer.write(3, 3 << 20, SPAN), /somebody has cut it short/);
    second.close();
    use.mayRetire = false;
    failsWithIo(() => layer.write(3, 3 << 20, SPAN), /somebody has cut it short/);
    use.mayRetire = true;
    layer.write(3, 3 << 20, SPAN);
    assert.equal(use.retired.size, KEY.spans, "readers are off all of it");
    assert.deepEqual([2, 3].map((span) => layer.has(span)), [false, true]);
    assert.equal(Deno.statSync(`${folder}/${DATA_NAME}`).size, KEY.plainBytes);
    layer.close();
  }));

Deno.test("a map that somebody has cut or removed means that nothing is there; opening makes it whole", () =>
  withLayer((layer, folder) => {
    const map = `${folder}/${DATA_NAME}.${KEY.partition}.map`;
    layer.write(2, 2 << 20, SPAN);
    Deno.truncateSync(map, 0);
    assert.equal(layer.has(2), false);
    const again = diskSpanCache(folder).openLayer(KEY);
    assert.equal(Deno.statSync(map).size, KEY.spans);
    assert.equal(again.has(2), false);
    again.write(2, 2 << 20, SPAN);
    assert.equal(layer.has(2), true);
    again.close();
  }));

Deno.test("a map with bytes that nobody has written means nothing", () =>
  withLayer((layer, folder) => {
    Deno.writeFileSync(`${folder}/${DATA_NAME}.${KEY.partition}.map`, Uint8Array.of(0xff, 2, 1));
    assert.deepEqual([0, 1, 2].map((span) => layer.has(span)), [false, false, true]);
  }));

Deno.test("a folder that cannot be made or used is named", async () => {
  const parent = await Deno.makeTempDir({ prefix: "clip-cache-" });
  try {
    Deno.writeTextFileSync(`${parent}/file`, "");
    failsWithIo(
      () => diskSpanCache(`${parent}/file/cache`).openLayer(KEY),
      new RegExp(`^cannot use the cache folder ${parent}/file/cache: .`),
    );
    failsWithIo(() => diskSpanCache(`${parent}/file`).openLayer(KEY), /^cannot use the cache folder .*\/file: ./);
    failsWithIo(() => diskSpanCache("/proc/clip").openLayer(KEY), /^cannot use the cache folder \/proc\/clip: ./);
    // Something else has the name of the data file, or of the map.
    for (const name of [DATA_NAME, `${DATA_NAME}.${KEY.partition}.map`]) {
      Deno.mkdirSync(`${parent}/${name}cache/${name}`, { recursive: true });
      failsWithIo(() => diskSpanCache(`${parent}/${name}cache`).openLayer(KEY), /^cannot use the cache folder /);
    }
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("opening leaves no descriptor behind, whether it succeeds or fails", async () => {
  const parent = await Deno.makeTempDir({ prefix: "clip-cache-" });
  const isBelow = (descriptor: string) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${descriptor}`).startsWith(parent);
    } catch {
      return false; // closed meanwhile, by somebody else
    }
  };
  const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => isBelow(name)).length;
  try {
    const map = `${DATA_NAME}.${KEY.partition}.map`;
    Deno.mkdirSync(`${parent}/wrong/${map}`, { recursive: true });
    diskSpanCache(`${parent}/right`).openLayer(KEY).close();
    for (let i = 0; i < 20; i++) {
      diskSpanCache(`${parent}/right`).openLayer(KEY).close();
      assert.throws(() => diskSpanCache(`${parent}/wrong`).openLayer(KEY));
      // Longer than any file can be: the data file opens, and cannot be made that long.
      assert.throws(() => diskSpanCache(`${parent}/right`).openLayer({ ...KEY, plainBytes: 2 ** 53 - 1 }));
    }
    assert.equal(descriptors(), 0);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("when the disk gives nothing more, writing says so and reading goes on", async () => {
  const code = `
    import { diskSpanCache } from ${JSON.stringify(new URL("../../src/cache/mod.ts", import.meta.url).href)};
    const layer = diskSpanCache(Deno.args[0]).openLayer(${JSON.stringify({ ...KEY, plainBytes: 100_000 })});
    layer.write(0, 0, new Uint8Array(1000).fill(5));
    try {
      layer.write(1, 99_000, new Uint8Array(200_000));
    } catch (error) {
      console.log(error.code, error.message);
    }
    const target = new Uint8Array(1000);
    console.log(layer.has(0), layer.has(1), layer.read(0, target), target[999]);
  `;
  const parent = await Deno.makeTempDir({ prefix: "clip-cache-" });
  try {
    await Deno.writeTextFile(`${parent}/code.ts`, code);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    // ulimit -f stops root too; the signal that comes with it is ignored, so that write(2) fails with EFBIG.
    const script =
      `trap "" XFSZ; ulimit -f 200; exec "$0" run -A --no-check --no-lock --config "$1" "$2/code.ts" "$2/cache"`;
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", script, Deno.execPath(), config, parent],
      env: { NO_COLOR: "1" },
    }).output();
    const lines = new TextDecoder().decode(stdout).split("\n");
    assert.match(lines[0]!, /^io cannot write to the cache file .*File too large/, new TextDecoder().decode(stderr));
    assert.equal(lines[1], "true false true 5");
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("a data file that cannot be read holds nothing, and is no reason to fail", () =>
  withLayer((layer, folder) => {
    layer.write(0, 0, SPAN);
    // Beyond what the system takes as an offset, every read is an error.
    assert.equal(layer.read(2 ** 63, new Uint8Array(10)), false);
    assert.equal(layer.dataPath, `${folder}/${DATA_NAME}`);
  }));

Deno.test("a process that is killed lets go of its claims, and what it wrote stays", () =>
  withLayer(async (layer, folder) => {
    const child = await startChild(
      folder,
      `const layer = diskSpanCache(Deno.args[0]).openLayer(JSON.parse(Deno.args[1]));
       layer.write(7, 7 << 20, new Uint8Array(1 << 20).fill(7));
       console.log(layer.claim(3), layer.claim(5));
       setInterval(() => {}, 1000);`,
      [folder, JSON.stringify(KEY)],
    );
    try {
      assert.equal(layer.claim(5), true);
      assert.equal(await child.line(), "true false");
      assert.equal(layer.claim(3), false);
      assert.equal(layer.has(7), true);
    } finally {
      await child.kill();
    }
    assert.equal(layer.claim(3), true);
    assert.equal(layer.has(7), true);
  }));

Deno.test("readers of openPath have the file that was opened, whatever has its name since", () =>
  withLayer((layer, folder) => {
    layer.write(0, 0, SPAN);
    Deno.renameSync(layer.dataPath!, `${folder}/moved`);
    Deno.writeTextFileSync(layer.dataPath!, "something else");
    assert.deepEqual(Deno.readFileSync(layer.openPath!).subarray(0, SPAN.length), SPAN);
    Deno.removeSync(`${folder}/moved`);
    assert.deepEqual(Deno.readFileSync(layer.openPath!).subarray(0, SPAN.length), SPAN);
  }));

Deno.test("a symlink in place of a file is refused, and what it leads to is left alone", async () => {
  const parent = await Deno.makeTempDir({ prefix: "clip-cache-" });
  try {
    Deno.writeTextFileSync(`${parent}/target`, "mine");
    for (const name of [DATA_NAME, `${DATA_NAME}.${KEY.partition}.map`]) {
      Deno.mkdirSync(`${parent}/${name}cache`);
      Deno.symlinkSync(`${parent}/target`, `${parent}/${name}cache/${name}`);
      failsWithIo(() => diskSpanCache(`${parent}/${name}cache`).openLayer(KEY), /symbolic links/);
    }
    assert.equal(Deno.readTextFileSync(`${parent}/target`), "mine");
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("a data file that is too short is not made longer while somebody relies on its bytes", () =>
  withLayer((layer, folder) => {
    layer.write(2, 2 << 20, SPAN);
    Deno.truncateSync(layer.dataPath!, 0);
    failsWithIo(() => diskSpanCache(folder).openLayer(KEY), /somebody holds on to/);
    layer.close();
    diskSpanCache(folder).openLayer(KEY).close();
    assert.equal(Deno.statSync(layer.dataPath!).size, KEY.plainBytes);
  }));
