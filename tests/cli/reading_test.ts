/** The commands that read an archive: ls, stat, inspect, cat, verify. */
import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/mod.ts";
import { modeString } from "../../src/cli/describe_node.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import { gzipLayer } from "../indexer/memory_image.ts";
import { clip, fail, inWorkplace, succeed } from "./fake_io.ts";

const { test } = Deno;

const LONG = `\
drwxr-xr-x   2     0     0           0 2001-09-09 01:46:40 bin
-rwsr-xr-x   2     0     0          20 2020-09-13 12:26:40 bin/alias
-rwsr-xr-x   2     0     0          20 2020-09-13 12:26:40 bin/tool
drwxr-xr-x   2     0     0           0 1970-01-01 00:00:00 dev
crw-rw-rw-   1     0     0         1,3 1970-01-01 00:00:00 dev/null
drwxr-xr-x   2     0     0           0 1970-01-01 00:00:00 etc
-rw-r--r--   1     0     0          10 1970-01-01 00:00:00 etc/group
-rw-r-----   1  1000   100          11 1969-12-31 23:59:59 etc/passwd
lrwxrwxrwx   1     0     0          10 1970-01-01 00:00:00 link -> etc/passwd
drwxrwxrwt   2     0     0           0 1970-01-01 00:00:00 tmp
-rw-r--r--   1     0     0           0 1970-01-01 00:00:00 tmp/bad\\x1b[31m\\nname\\xff
prw-r--r--   1     0     0           0 1970-01-01 00:00:00 tmp/pipe
-rw-r--r--   1     0     0           1 2020-09-13 12:26:40 tmp/tagged
`;

test("ls: names, long lines, all below, single files, links followed or not", () =>
  inWorkplace(async ({ archive }) => {
    assert.equal(await succeed(["ls", archive]), "bin\ndev\netc\nlink\ntmp\n");
    assert.equal(await succeed(["ls", archive, "etc"]), "group\npasswd\n");
    assert.equal(await succeed(["ls", "-lR", archive]), LONG);
    assert.equal(await succeed(["ls", "-l", "--recursive", archive, "/"]), LONG);
    assert.equal(await succeed(["ls", "-R", archive, "/bin"]), "alias\ntool\n");
    assert.equal(await succeed(["ls", archive, "/tmp"]), "bad\\x1b[31m\\nname\\xff\npipe\ntagged\n");
    assert.equal(await succeed(["ls", archive, "/bin/../bin/./tool"]), "/bin/../bin/./tool\n");
    assert.match(await succeed(["ls", "-l", archive, "/link"]), /^lrwx.* \/link -> etc\/passwd\n$/);
    assert.equal(await succeed(["ls", archive, "/link"]), "/link\n");
  }));

test("ls --json: a line an entry, which parses", () =>
  inWorkplace(async ({ archive }) => {
    const lines = (await succeed(["ls", "--json", "-R", archive])).trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
    assert.deepEqual(
      lines.map(({ name }) => name),
      LONG.trimEnd().split("\n").map((line) => line.split(/\d\d:\d\d /)[1]!.split(" ->")[0]),
    );
    const byName = new Map(lines.map((line) => [line.name, line]));
    assert.equal(byName.get("bin/tool").inode, byName.get("bin/alias").inode);
    assert.equal(byName.get("bin/tool").mode, "04755");
    assert.equal(byName.get("link").target, "etc/passwd");
    assert.equal(byName.get("dev/null").device, "1,3");
    assert.equal(byName.get("tmp/tagged").mtime, "2020-09-13T12:26:40.500000000Z");
    assert.deepEqual(byName.get("tmp/tagged").xattrs, { "user.note": "aGk=" });
  }));

test("ls of many names comes out whole", async () => {
  const names = Array.from({ length: 5000 }, (_, i) => `n${String(i).padStart(30, "0")}`);
  await inWorkplace(async ({ archive }) => {
    assert.equal(await succeed(["ls", archive, "/d"]), names.map((name) => `${name}\n`).join(""));
  }, [gzipLayer(...names.map((name) => ({ path: `d/${name}` })))]);
});

test("stat: a file, a link and where it leads, a device; --json says the same", () =>
  inWorkplace(async ({ archive }) => {
    const text = await succeed(["stat", archive, "/tmp/tagged"]);
    for (
      const line of [
        "path   /tmp/tagged",
        "type   file",
        "size   1",
        "mode   0644 (-rw-r--r--)",
        "owner  0:0",
        "mtime  2020-09-13T12:26:40.500000000Z",
        "xattr  user.note = base64:aGk=",
      ]
    ) {
      assert(text.includes(`${line}\n`), `${line} in ${text}`);
    }
    assert.match(text, /^data {3}layer 1 at byte \d+$/m);
    assert.match(await succeed(["stat", archive, "/link"]), /^path {3}\/link -> etc\/passwd$/m);
    assert.match(await succeed(["stat", archive, "/dev/null"]), /^device 1,3$/m);
    assert.match(await succeed(["stat", archive, "/"]), /^links {2}6$/m);
    const facts = JSON.parse(await succeed(["stat", "--json", archive, "/etc/passwd"]));
    assert.deepEqual([facts.uid, facts.gid, facts.mode, facts.mtime], [
      1000,
      100,
      "0640",
      "1969-12-31T23:59:59.000000000Z",
    ]);
  }));

test("a path that the image does not have is an error, status 1", () =>
  inWorkplace(async ({ archive }) => {
    for (const command of ["ls", "stat", "cat"]) {
      const message = await fail([command, archive, "/no/such"], 1);
      assert.equal(message, `clip: error: ${archive}: there is no /no/such in the image\n`);
    }
    await fail(["stat", archive, "/etc/gone"], 1);
    await fail(["stat", archive, "/link/"], 1);
    assert.match(await fail(["cat", archive, "/etc"], 1), /\/etc is not a file/);
  }));

test("inspect: text for people, JSON for programs, both about this image", () =>
  inWorkplace(async ({ archive, folder }) => {
    const text = await succeed(["inspect", archive]);
    assert(text.includes(`source      oci:${folder}/layout@sha256:`));
    assert.match(text, /^platform {4}linux\/amd64$/m);
    assert.match(text, /^tree {8}13 entries, 13 inodes, 5 files of 42 B$/m);
    assert.match(text, /^indexed {5}exact checkpoints every 2\.00 MiB, before files from 512\.0 KiB$/m);
    assert.match(text, /^ {2}format {4}gzip, /m);
    const facts = JSON.parse(await succeed(["inspect", "--json", archive]));
    assert.equal(facts.layers.length, 2);
    assert.deepEqual(facts.layers.map(({ codec }: { codec: string }) => codec), ["gzip", "none"]);
    assert.deepEqual(facts.config.config, { Cmd: ["sh"] });
    assert.equal(facts.bytes, Deno.statSync(archive).size);
    assert.equal(facts.options.spacingBytes, 2 << 20);
    assert.equal(facts.options.fileCheckpointBytes, 512 << 10);
    for (const name of Object.keys(facts.sections)) assert(text.includes(`\n  ${name} `), name);
  }));

test("cat: several files in order, links followed, bytes as they are", async () => {
  const noise = new SeededRandom(5).bytes(2_500_000);
  await inWorkplace(async ({ archive, folder }) => {
    const cache = ["--cache-dir", `${folder}/cache`];
    assert.equal(await succeed(["cat", ...cache, archive, "/a", "/link", "/a", "/empty"]), "AAA\nbb\nAAA\n");
    const { status, bytes, err } = await clip(["cat", archive, "/a", "/noise", ...cache]);
    assert.deepEqual([status, err], [0, ""]);
    assert(equalBytes(bytes.subarray(4), noise));
    assert.equal(await succeed(["cat", "--no-checkpoints", "--log-level", "error", ...cache, archive, "/b"]), "bb\n");
  }, [
    gzipLayer({ path: "a", data: "AAA\n" }, { path: "b", data: "bb\n" }, { path: "link", type: "2", linkName: "b" }),
    gzipLayer({ path: "noise", data: noise }, { path: "empty" }),
  ]);
});

test("cat tells of every path that is wrong before it writes anything", () =>
  inWorkplace(async ({ archive }) => {
    const { status, out } = await clip(["cat", archive, "/etc/passwd", "/no/such"]);
    assert.deepEqual([status, out], [1, ""]);
  }));

test("cat reads from the cache when the layers are gone, and from --source when there is one", () =>
  inWorkplace(async ({ archive, folder }) => {
    await succeed(["cat", "--cache-dir", `${folder}/cache`, archive, "/etc/passwd"]);
    await Deno.rename(`${folder}/layout`, `${folder}/mirror`);
    const other = ["cat", "--cache-dir", `${folder}/other`, archive, "/etc/passwd"];
    assert.match(await fail(other, 1), /layout/);
    assert.equal(await succeed([...other, "--source", `oci:${folder}/mirror:v1`]), "root:x:0:0\n");
  }));

test("verify: good, with and without layers", () =>
  inWorkplace(async ({ archive, folder }) => {
    assert.equal(await succeed(["verify", archive]), `${archive}: structure and checksums are right\n`);
    const text = await succeed(["verify", "--layers", archive]);
    assert(text.endsWith(`${archive}: 2 spans of 12.5 KiB are as oci:${folder}/layout has them\n`), text);
  }));

test("verify --layers finds a flipped bit, naming the layer; verify finds damage to the archive", () =>
  inWorkplace(async ({ archive, layout }) => {
    const facts = JSON.parse(await succeed(["inspect", "--json", archive]));
    const path = layout.blobPath(facts.layers[1].digest);
    const blob = await Deno.readFile(path);
    blob[700]! ^= 1;
    await Deno.writeFile(path, blob);
    await succeed(["verify", archive]);
    assert.match((await clip(["verify", "--layers", archive])).err, /^clip: error: .*layer 1.*digest mismatch.*\n$/);
    const bytes = await Deno.readFile(archive);
    for (let at = 0; at < bytes.length; at += 97) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0x20;
      await Deno.writeFile(`${archive}.bad`, damaged);
      const { status, err } = await clip(["verify", `${archive}.bad`]);
      assert(status === 1 && /^clip: error: [^\n]+\n$/.test(err), `byte ${at}: ${status} ${err}`);
    }
  }));

test("files that are no archives, or cannot be read", () =>
  inWorkplace(async ({ archive, folder }) => {
    await Deno.writeTextFile(`${folder}/text`, "{}");
    await Deno.writeFile(`${folder}/short`, (await Deno.readFile(archive)).subarray(0, 300));
    await Deno.writeFile(`${folder}/empty`, new Uint8Array(0));
    for (const command of [["ls"], ["inspect"], ["verify"], ["stat", "/"], ["cat", "/a"], ["mount", folder]]) {
      const [name, ...rest] = command;
      assert.match(await fail([name!, `${folder}/none`, ...rest], 1), /none: it does not exist/);
      assert.match(await fail([name!, folder, ...rest], 1), /it is not a regular file/);
      for (const bad of ["text", "short", "empty"]) {
        assert.match(await fail([name!, `${folder}/${bad}`, ...rest], 1), new RegExp(`archive .*${bad}`));
      }
    }
  }));

test("mode strings as ls writes them", () => {
  const modes: Record<string, number> = {
    "-rwxr-xr-x": 0o100755,
    "drwxrwxrwt": 0o041777,
    "-rwsr-Sr-T": 0o107744,
    "lrwxrwxrwx": 0o120777,
    "brw-------": 0o060600,
    "c---------": 0o020000,
    "p-w--wx--x": 0o010231,
    "srwxrwsrwx": 0o142777,
  };
  for (const [text, mode] of Object.entries(modes)) assert.equal(modeString(mode), text);
});
