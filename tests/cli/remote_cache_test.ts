import assert from "node:assert/strict";
import { asVariable, remoteCacheUrls } from "../../src/cli/open_remote_caches.ts";
import { fail, inWorkplace, succeed } from "./fake_io.ts";

const WRONG: readonly [url: string, message: RegExp][] = [
  ["memcached://host", /a remote cache cannot be memcached:\/\/…; known are redis:\/\/, .*s3:\/\//],
  ["host:6379", /a remote cache cannot be host:\/\/…; known are/],
  ["", /"" is not the URL of a remote cache/],
  ["redis://user:secret@host/path", /redis:\/\/host\/path: the path is the number of a database/],
  ["redis://host?db=3", /redis:\/\/host\?…: a query \(\?…\) means nothing here/],
  ["http://user:secret@/x", /is not the URL of a remote cache/],
  ["s3://key:secret@bucket", /s3:\/\/bucket: credentials are not taken from here/],
  ["s3://bucket?acl=public", /only region and endpoint are known/],
  ["s3://bucket?endpoint=ftp://host", /the S3 endpoint ftp:\/\/host is not an http:\/\/ or https:\/\/ URL/],
  ["http://host/?secret=1", /http:\/\/host\?…: a query \(\?…\) means nothing here/],
  ["https://host/#x", /a fragment/],
];

Deno.test("--remote-cache: wrong URLs are usage errors, without their credentials", () =>
  inWorkplace(async ({ archive }) => {
    for (const [url, message] of WRONG) {
      const said = await fail(["cat", "--remote-cache", url, archive, "/etc/passwd"], 2);
      assert.match(said, message);
      assert.doesNotMatch(said, /secret/);
      if (url === "") continue;
      const byVariable = await fail(["cat", archive, "/etc/passwd"], 2, (io) => {
        io.variables = { CLIP_CACHE_DIR: "/nowhere", CLIP_REMOTE_CACHE: `redis://right ${url}` };
      });
      assert.match(byVariable, message);
      assert.doesNotMatch(byVariable, /secret/);
    }
    await fail(["cat", "--remote-cache", "none", "--remote-cache", "redis://host", archive, "/etc/passwd"], 2);
  }));

Deno.test("--remote-cache none: what the environment names is not asked", () =>
  inWorkplace(async ({ archive, folder }) => {
    const out = await succeed(["cat", "--remote-cache", "none", archive, "/etc/passwd"], (io) => {
      io.variables = { CLIP_CACHE_DIR: `${folder}/cache`, CLIP_REMOTE_CACHE: "wrong" };
    });
    assert.equal(out, "root:x:0:0\n");
  }));

Deno.test("remote caches survive the way to another process", () => {
  const lists = [[], ["redis://:p%40ss@host/3"], ["http://host/a,b", "s3://bucket/x?endpoint=http://host:1"]];
  for (const urls of lists) {
    const io = { env: () => asVariable(urls) };
    const read = remoteCacheUrls({ remoteCaches: [], remoteCacheTimeoutMs: 1 }, io);
    assert.deepEqual(read.map((url) => url.replaceAll("%2C", ",")), urls);
  }
  const io = { env: () => "redis://one, redis://two\thttp://three" };
  const options = { remoteCaches: [], remoteCacheTimeoutMs: 1 };
  assert.deepEqual(remoteCacheUrls(options, io), ["redis://one", "redis://two", "http://three"]);
  assert.deepEqual(remoteCacheUrls({ ...options, remoteCaches: ["redis://four"] }, io), ["redis://four"]);
});
