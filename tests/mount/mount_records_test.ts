import assert from "node:assert/strict";
import { serveMetrics } from "../../src/metrics/mod.ts";
import { liveMounts, type MountRecord, placeRecord, runtimeFolders, writeRecord } from "../../src/mount/mod.ts";

const PAGES = { metrics: () => "", stats: () => ({}) };

function recordOf(mountpoint: string, startedAt = "2026-01-01T00:00:00.000Z"): MountRecord {
  const rest = { archive: "/x.clip", image: "oci:/x@sha256:0", manifestDigest: "sha256:0", version: "0.1.0" };
  return { pid: Deno.pid, mountpoint, device: 7, startedAt, ...rest };
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-records-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

/** Makes a file look as if it had been there for long. */
async function age(path: string): Promise<void> {
  await new Deno.Command("touch", { args: ["-d", "1 hour ago", path] }).output();
}

Deno.test("where records may be", () => {
  const env = (variables: Record<string, string>) => (name: string) => variables[name];
  const cacheDir = "/home/x/.cache/clip";
  assert.deepEqual(runtimeFolders({ env: env({}), uid: 0, cacheDir }), ["/run/clip", `${cacheDir}/run`]);
  assert.deepEqual(runtimeFolders({ env: env({ CLIP_RUNTIME_DIR: "/own" }), uid: 0, cacheDir }), ["/own"]);
  // What a login of root sets is not there for its services.
  assert.deepEqual(runtimeFolders({ env: env({ XDG_RUNTIME_DIR: "/run/user/0" }), uid: 0, cacheDir: undefined }), [
    "/run/clip",
  ]);
  assert.deepEqual(runtimeFolders({ env: env({ XDG_RUNTIME_DIR: "/run/user/99999" }), uid: 99_999, cacheDir }), [
    "/run/user/99999/clip",
    `${cacheDir}/run`,
  ]);
  assert.deepEqual(runtimeFolders({ env: env({ XDG_RUNTIME_DIR: "relative" }), uid: 99_999, cacheDir: undefined }), []);
});

Deno.test("a mount is found as long as its socket answers", () =>
  inFolder(async (folder) => {
    const folders = [`${folder}/none`, `${folder}/run`];
    assert.deepEqual(await liveMounts(folders), []);
    const found = [];
    for (const [mountpoint, startedAt] of [["/late", "2026-02-01T00:00:00.000Z"], ["/early", undefined]] as const) {
      const place = await placeRecord(mountpoint, folders.slice(1));
      const server = await serveMetrics({ transport: "unix", path: place.socket }, PAGES);
      await writeRecord(place, recordOf(mountpoint, startedAt));
      found.unshift({ record: recordOf(mountpoint, startedAt), socket: place.socket, server });
    }
    assert.equal((await Deno.stat(`${folder}/run`)).mode! & 0o777, 0o700);
    assert.deepEqual(await liveMounts(folders), found.map(({ server: _, ...rest }) => rest));
    for (const { server } of found) await server.close();
    assert.deepEqual(await liveMounts(folders), []);
  }));

Deno.test("what dead mounts left is taken away once it is old; nothing else is", () =>
  inFolder(async (folder) => {
    const dead = `${folder}/0123456789ab-1`;
    const script = `Deno.listen({ transport: "unix", path: "${dead}.sock" }); Deno.kill(Deno.pid, "SIGKILL");`;
    await new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output();
    const left = [`${dead}.json`, `${folder}/.0123456789ab-1.json.12345678.tmp`, `${folder}/0123456789ac-2.json`];
    for (const path of left) await Deno.writeTextFile(path, JSON.stringify(recordOf("/dead")));
    await Deno.writeTextFile(`${folder}/notes.txt`, "mine");
    const all = await names(folder);
    assert.equal(all.length, 5);
    assert.deepEqual(await liveMounts([folder]), []);
    assert.deepEqual(await names(folder), all, "they may belong to a mount that is being made");
    for (const name of all) await age(`${folder}/${name}`);
    const live = await placeRecord("/live", [folder]);
    const server = await serveMetrics({ transport: "unix", path: live.socket }, PAGES);
    await writeRecord(live, recordOf("/live"));
    await age(live.record);
    assert.deepEqual((await liveMounts([folder])).map(({ record }) => record.mountpoint), ["/live"]);
    await server.close();
    assert.deepEqual(await names(folder), [live.record.slice(folder.length + 1), "notes.txt"]);
  }));

Deno.test("records that are none are passed over", () =>
  inFolder(async (folder) => {
    const place = await placeRecord("/x", [folder]);
    const server = await serveMetrics({ transport: "unix", path: place.socket }, PAGES);
    for (const text of ["", "{", "null", "[]", '{"pid":"1"}', '{"pid":1,"device":2,"mountpoint":3,"startedAt":""}']) {
      await Deno.writeTextFile(place.record, text);
      assert.deepEqual(await liveMounts([folder]), [], text);
    }
    await server.close();
  }));

Deno.test("a folder that will not do is passed over; without any the reasons are told", () =>
  inFolder(async (folder) => {
    const long = `${folder}/${"x".repeat(100)}`;
    await Deno.writeTextFile(`${folder}/file`, "");
    await Deno.mkdir(`${folder}/open`);
    await Deno.chmod(`${folder}/open`, 0o777);
    const bad = [long, `${folder}/file/run`, `${folder}/open`];
    const { socket } = await placeRecord("/x", [...bad, `${folder}/good`]);
    assert.ok(socket.startsWith(`${folder}/good/`));
    await assert.rejects(
      placeRecord("/x", bad),
      /the path is too long; .*not a directory.*; .*others may write there/i,
    );
    await assert.rejects(placeRecord("/x", []), /CLIP_RUNTIME_DIR/);
  }));
