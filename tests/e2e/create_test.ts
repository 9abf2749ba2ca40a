import assert from "node:assert/strict";
import { CLIP_COMMAND } from "./clip_process.ts";
import { compareTrees, listTree } from "./compare_trees.ts";
import { expectFailure } from "./expect_failure.ts";
import { mustRun, runProgram } from "./programs.ts";
import { e2eTest, until, type Workbench } from "./workbench.ts";

/** A tree with one of everything. */
const MAKE_TREE = String.raw`
  set -e
  mkdir -p sub/deep empty; chmod 1777 empty; chmod 2755 sub
  head -c 3000000 /dev/urandom >big; cp big sub/copy
  head -c 100 big >small; cp small sub/same; ln small sub/hard; ln -s ../small sub/link
  for i in 1 2 3 4 5 6; do cat /bin/sh; done >repeated; chmod 4755 repeated
  mkfifo -m 600 pipe; mknod null c 1 3; mknod loop b 7 0; mknod hidden c 0 0
  truncate -s 10M hole; truncate -s 7M sparse; printf data | dd of=sparse bs=1 seek=5000000 conv=notrunc status=none
  : >nothing; printf x >"$(printf '\377\376bad')"; printf y >'sp ace'; chown 5:6 small; chown -h 7:8 sub/link
  setfattr -n user.x -v y small; setfattr -n trusted.t -v z sub; setfattr -n trusted.d -v w .
  cp /bin/sh capable; setcap cap_net_raw+ep capable
  touch -d '1960-05-05 01:02:03.123456789' nothing; touch -h -d '2001-01-01 00:00:00.5' sub/link
  touch -d @4000000000.000000001 sub/deep
`;
const NEEDS = ["root", "/dev/fuse", "setfattr", "setcap", "getfattr"] as const;

async function makeTree(bench: Workbench): Promise<string> {
  const tree = bench.directory("tree");
  await mustRun(["sh", "-c", MAKE_TREE], { cwd: tree });
  return tree;
}

e2eTest(
  "create, then mount: the trees are identical; ls, cat, verify, inspect and profile take such an archive",
  NEEDS,
  async (bench) => {
    const tree = await makeTree(bench);
    using _socket = Deno.listen({ transport: "unix", path: `${tree}/socket` });
    const expected = await listTree(tree);
    for (const compression of ["zstd", "gzip"]) {
      const file = `${compression}.clip`;
      const { code, stderr } = await bench.clip(["create", "--compression", compression, tree, "-o", file]);
      if (code === 2 && /Deno that cannot compress with zstd/.test(stderr)) continue;
      assert.equal(code, 0, stderr);
      const mount = await bench.mount(file, compression);
      assert.deepEqual(compareTrees(await listTree(mount.directory), expected), []);
      const blocks = async (root: string) => Number(await mustRun(["stat", "-c", "%b", `${root}/sparse`]));
      assert.ok(await blocks(mount.directory) <= await blocks(tree), "holes stay holes");
      await mustRun(["umount", mount.directory]);
      assert.match(await bench.mustClip(["verify", "--layers", file]), /spans of .* that it carries are right\n$/);
      assert.match(await bench.mustClip(["inspect", file]), /source +a directory: no image\n.*\n?data +in the file/);
      assert.equal(JSON.parse(await bench.mustClip(["inspect", "--json", file])).config, null);
      assert.match(await bench.mustClip(["ls", "-l", file, "/hidden"]), /^c.* 0,0 /);
      assert.equal(
        (await bench.clip(["cat", "--offline", "--cache-dir", "none", file, "/sub/hard"])).stdoutBytes.length,
        100,
      );
    }
    await mustRun(["cp", "gzip.clip", "before.clip"], { cwd: bench.folder });
    await bench.mustClip(["create", "--compression", "gzip", `${tree}/`, "-o", "gzip.clip"]);
    await mustRun(["cmp", "gzip.clip", "before.clip"], { cwd: bench.folder });

    const profile = bench.path("start.profile");
    const recorded = await bench.mount("gzip.clip", "recorded", ["--record", profile]);
    await mustRun(["cat", `${recorded.directory}/capable`]);
    await mustRun(["umount", recorded.directory]);
    assert.ok(await until(() => Deno.readTextFileSync(profile).includes("ranges"), 5000));
    await bench.mustClip(["profile", "add", "gzip.clip", profile]);
    await bench.mustClip(["verify", "--layers", "gzip.clip"]);
    await mustRun(["cmp", "gzip.clip", "before.clip"], { cwd: bench.folder }).then(
      () => assert.fail("no profile"),
      () => {},
    );
    await bench.mustClip(["profile", "rm", "gzip.clip"]);
    await mustRun(["cmp", "gzip.clip", "before.clip"], { cwd: bench.folder });
  },
);

e2eTest("what create refuses, in one line", ["root", "setpriv"], async (bench) => {
  const tree = bench.directory("tree");
  await Deno.writeTextFile(`${tree}/file`, "text");
  const refuses = (args: string[], code: 1 | 2, message: RegExp) =>
    expectFailure(bench, ["create", ...args], { code, message });
  await refuses([tree, "-o", `${tree}/x.clip`], 1, /^cannot write .*: it is inside of .*tree, which it is made of$/);
  await refuses([`${tree}/file`, "-o", "x.clip"], 1, /tree\/file: it is not a directory$/);
  await refuses([`${tree}/none`, "-o", "x.clip"], 1, /does not exist$/);
  await refuses([tree, "-o", "/dev/null"], 1, /^cannot write \/dev\/null: it is there and not a regular file$/);
  await refuses([tree, "-o", "x.clip", "--compression", "gzip", "--level", "12"], 2, /gzip has levels 1 to 9/);
  await bench.mustClip(["create", tree, "-o", "x.clip"]);
  await refuses(["x.clip", "-o", "y.clip"], 1, /it is not a directory$/);
  await expectFailure(bench, ["bundle", "x.clip", bench.path("box")], {
    code: 1,
    message: /x\.clip was packed from a directory and has no image to run: mount it, and bring a config\.json$/,
  });

  await Deno.writeTextFile(`${tree}/secret`, "text", { mode: 0o600 });
  await Deno.chown(`${tree}/secret`, 5, 5);
  const powerless = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];
  const { code, stderr } = await runProgram([
    ...powerless,
    ...CLIP_COMMAND,
    "create",
    tree,
    "-o",
    bench.path("z.clip"),
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /^clip: error: cannot read .*tree\/secret: permission denied\n$/);
});

e2eTest("--one-file-system leaves out what others hold; without it, it is packed", ["root"], async (bench) => {
  const tree = bench.directory("tree");
  const other = bench.directory("tree/other");
  await mustRun(["mount", "-t", "tmpfs", "none", other]);
  try {
    await Deno.writeTextFile(`${other}/file`, "text");
    await bench.mustClip(["create", tree, "-o", "all.clip"]);
    await bench.mustClip(["create", "--one-file-system", tree, "-o", "one.clip"]);
  } finally {
    await mustRun(["umount", other]);
  }
  assert.match(await bench.mustClip(["ls", "-R", "all.clip"]), /^other\nother\/file$/m);
  assert.equal(await bench.mustClip(["ls", "-R", "one.clip"]), "other\n");
});

e2eTest("create that is stopped or killed leaves the old archive", [], async (bench) => {
  const tree = bench.directory("tree");
  await mustRun(["sh", "-c", "head -c 150000000 /dev/urandom >big"], { cwd: tree });
  await Deno.writeTextFile(bench.path("x.clip"), "old");
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    const running = bench.spawnClip(["create", "--progress", "none", tree, "-o", "x.clip"]);
    const temporary = () => bench.names().filter((name) => /^\.x\.clip\.[0-9a-f]{8}\.tmp$/.test(name));
    assert.ok(await until(() => temporary().some((name) => Deno.statSync(bench.path(name)).size > 1_000_000), 30_000));
    running.kill(signal);
    assert.equal((await running.ended).code, signal === "SIGINT" ? 130 : 137);
    assert.equal(Deno.readTextFileSync(bench.path("x.clip")), "old");
    const [left, ...others] = temporary();
    assert.deepEqual(others, []);
    if (signal === "SIGINT") assert.equal(left, undefined);
    else {await expectFailure(bench, ["ls", left!.replace(/^/, "./")], {
        code: 1,
        message: /bad magic at byte 0: found 0/,
      });}
  }
});
