/** The library: what the commands do, as functions. */
import assert from "node:assert/strict";
import { ClipError, diskSpanCache, index, open, type SpanCache } from "../../src/mod.ts";
import { isFuseMounted } from "../../src/fuse/mod.ts";
import { writeLayout } from "../cli/fake_io.ts";
import { e2eTest } from "../e2e/workbench.ts";
import { startFakeRegistry } from "../oci/fake_registry.ts";

const { test } = Deno;

/** A folder with a layout of the commands' sample image, and its archive. */
async function withSample(work: (folder: string, image: string, archive: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-library-" });
  try {
    writeLayout(`${folder}/layout`);
    const image = `oci:${folder}/layout:v1`;
    const indexed = await index(image, { platform: "linux/amd64" });
    await indexed.write(`${folder}/image.clip`);
    await work(folder, image, `${folder}/image.clip`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("index tells what it found, keeps layers where it is told to, and leaves nothing behind when it is stopped", () =>
  withSample(async (folder, image) => {
    const options = { platform: "linux/amd64", indexCache: `${folder}/index` };
    const seen = new Set<number>();
    const first = await index(image, { ...options, onProgress: ({ layer, done }) => done && seen.add(layer) });
    assert.deepEqual([...seen].sort(), [0, 1]);
    assert.deepEqual(first.layers.map(({ reused }) => reused), [false, false]);
    assert.match(first.image, /^oci:.*\/layout@sha256:[0-9a-f]{64}$/);
    const second = await index(image, options);
    assert.deepEqual(second.layers.map(({ reused }) => reused), [true, true]);
    assert.deepEqual(second.archive, first.archive);
    const reason = new Error("enough");
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    await assert.rejects(index(image, { ...options, signal: AbortSignal.abort(reason) }), reason);
    await assert.rejects(index(image, { platform: "linux/s390x" }), { code: "not_found" });
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), names);
  }));

test("names and attributes: stat, lstat, list, walk and xattrs, with names of any bytes", () =>
  withSample(async (_folder, _image, archive) => {
    await using files = await open(archive);
    assert.equal(files.image.platform.architecture, "amd64");
    assert.deepEqual((await files.config() as { config: unknown }).config, { Cmd: ["sh"] });
    assert.deepEqual([...files.list()].map(({ name }) => name), ["bin", "dev", "etc", "link", "tmp"]);
    const { type, mode, links, mtimeSeconds } = files.stat("/bin/tool");
    assert.deepEqual({ type, mode, links, mtimeSeconds }, {
      type: "file",
      mode: 0o4755,
      links: 2,
      mtimeSeconds: 1_600_000_000,
    });
    assert.equal(files.stat("link").inode, files.stat("etc/passwd").inode);
    assert.equal(files.lstat("link").target, "etc/passwd");
    assert.equal(files.stat(files.lstat("link")).type, "file");
    assert.deepEqual(files.stat("dev/null").device, { major: 1, minor: 3 });
    assert.deepEqual([...files.xattrs("/tmp/tagged")], [["user.note", new TextEncoder().encode("hi")]]);
    const paths = [...files.walk()].map(({ path }) => path);
    assert(paths.includes("etc/group") && !paths.includes("etc/gone"));
    const bad = [...files.walk("tmp")].find(({ name }) => name.startsWith("bad"))!;
    assert.match(bad.name, /^bad\\x1b.*\\xff$/i);
    assert.equal((await files.read(bad)).length, 0);
    assert(!files.exists("/etc/gone") && !files.exists({ inode: 1e9 }));
    for (const wrong of [() => files.stat("nowhere"), () => [...files.list("etc/passwd")], () => files.stream("etc")]) {
      assert.throws(wrong, (error) => error instanceof ClipError && error.code === "not_found");
    }
  }));

test("contents: a cache of one's own, ranges, streams; after the end every read fails", () =>
  withSample(async (folder, _image, archive) => {
    const disk = diskSpanCache(`${folder}/cache`);
    const asked: string[] = [];
    const cache: SpanCache = {
      ...disk,
      openLayer(key, use) {
        asked.push(key.diffId);
        return disk.openLayer(key, use);
      },
    };
    const files = await open(archive, { cache });
    assert.equal(await files.readText("/link"), "root:x:0:0\n");
    assert.equal(await files.readText("/link", { offset: 5, lengthBytes: 3 }), "x:0");
    assert.equal(await files.readText("/link", { offset: 500 }), "");
    for (const wrong of [{ offset: -5 }, { offset: 0.5 }, { lengthBytes: -1 }, { lengthBytes: NaN }]) {
      await assert.rejects(files.read("/link", wrong), RangeError);
      assert.throws(() => files.stream("/link", wrong), RangeError);
    }
    assert.equal(await new Response(files.stream("/bin/tool")).text(), "#!/bin/sh\necho tool\n");
    assert(asked.length >= 1);
    await files.warm();
    await files.close();
    await files.close();
    await assert.rejects(files.read("/etc/group"), { code: "aborted" });
    // Everything is in the folder now: the image may go.
    await Deno.remove(`${folder}/layout`, { recursive: true });
    await using again = await open(archive, { cache: `${folder}/cache`, offline: true });
    assert.equal(await again.readText("/etc/group"), "root:x:0:\n");
  }));

test("a cache of one's own that throws is an error for who reads, not a wait without end", () =>
  withSample(async (folder, _image, archive) => {
    const disk = diskSpanCache(`${folder}/cache`);
    const problem = new Error("out of order");
    const cache: SpanCache = {
      ...disk,
      openLayer(key, use) {
        return Object.assign(disk.openLayer(key, use), {
          claim: () => {
            throw problem;
          },
        });
      },
    };
    await using files = await open(archive, { cache, deadlineMs: 2000 });
    await assert.rejects(files.read("/etc/group"), problem);
  }));

test("an archive at a URL is read by range, through a fetch of one's own", () =>
  withSample(async (_folder, _image, archive) => {
    const bytes = await Deno.readFile(archive);
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "")!.map(Number);
      const part = bytes.subarray(first, last! + 1);
      const range = `bytes ${first}-${first! + part.length - 1}/${bytes.length}`;
      return new Response(part, { status: 206, headers: { "content-range": range, etag: '"1"' } });
    });
    const url = `http://127.0.0.1:${server.addr.port}/image.clip`;
    try {
      let requests = 0;
      await using files = await open(url, { fetch: (input, init) => (requests++, fetch(input, init)) });
      assert.equal(await files.readText("/etc/group"), "root:x:0:\n");
      assert(requests >= 1);
      await assert.rejects(open(url, { offline: true }), { code: "not_found" });
    } finally {
      await server.shutdown();
    }
  }));

test("a signal ends a read that a registry keeps waiting, and wrong bytes are an error", () =>
  withSample(async (folder, _image, archive) => {
    const registry = startFakeRegistry();
    try {
      registry.handler = () => registry.pause(60_000).then(() => new Response("late"));
      const files = await open(archive, { source: `${registry.host}/x@sha256:${"0".repeat(64)}` });
      const reason = new Error("enough");
      const stop = new AbortController();
      const read = files.read("/etc/group", { signal: stop.signal });
      setTimeout(() => stop.abort(reason), 20);
      await assert.rejects(read, reason);
      await files.close();
    } finally {
      await registry.stop();
    }
    for await (const { name, isFile } of Deno.readDir(`${folder}/layout/blobs/sha256`)) {
      const path = `${folder}/layout/blobs/sha256/${name}`;
      const bytes = await Deno.readFile(path);
      if (isFile && bytes[0] !== 0x7b) {
        await Deno.writeFile(
          path,
          bytes.map((byte, at) => at < 10 ? byte : byte ^ 0x55),
        );
      }
    }
    await using files = await open(archive);
    await assert.rejects(files.read("/etc/group"), ClipError);
  }));

e2eTest(
  "library: what is closed while it is being mounted stays mounted nowhere",
  ["/dev/fuse"],
  () =>
    withSample(async (folder, _image, archive) => {
      const mountpoint = `${folder}/root`;
      await Deno.mkdir(mountpoint);
      const files = await open(archive);
      const mounting = files.mount(mountpoint);
      await files.close();
      await assert.rejects(mounting, { code: "aborted" });
      assert.equal(await isFuseMounted(mountpoint), false);
    }),
);
