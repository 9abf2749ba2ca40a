/** Archives on real servers, read by range. */
import assert from "node:assert/strict";
import { nginxServerWithLogin } from "../cache/remote/nginx_server.ts";
import { s3Gateway } from "../cache/remote/s3_gateway.ts";
import { compareTrees, listTree } from "./compare_trees.ts";
import { expectFailure } from "./expect_failure.ts";
import { ARCHITECTURE, writeImage, writeLayer } from "./oci_layout.ts";
import { mustRun, runProgram } from "./programs.ts";
import { e2eTest } from "./workbench.ts";

const MAKE_TREE = `mkdir sub; head -c 2000000 /dev/urandom >big; cp /bin/sh sub/sh; ln sub/sh sub/other
  for i in 1 2 3 4 5 6 7 8 9; do echo $i >sub/$i; done; ln -s sub link; head -c 1000000 /dev/urandom >unread`;

for (const kind of [nginxServerWithLogin, s3Gateway]) {
  e2eTest(
    `an archive at ${kind.name === "s3" ? "s3://" : "http://"} is listed, read, verified and mounted there`,
    ["/dev/fuse", "root", "getfattr", ...kind.needs],
    async (bench) => {
      const { url: folder, env, plant } = await kind.start(bench);
      const clip = (args: string[]) => bench.mustClip(args, { env });
      const url = `${folder}/of%20a%2Bb.clip`;
      const tree = bench.directory("tree");
      await mustRun(["sh", "-c", MAKE_TREE], { cwd: tree });
      await bench.mustClip(["create", tree, "-o", "local.clip"]);
      await plant("of a+b.clip", await Deno.readFile(bench.path("local.clip")));

      assert.equal(await clip(["ls", "-R", url]), await clip(["ls", "-R", "local.clip"]));
      assert.equal(await clip(["cat", url, "/sub/7"]), "7\n");
      assert.match(
        await clip(["verify", "--layers", url]),
        /of%20a%2Bb\.clip.*: .* spans of .* it carries are right\n$/,
      );

      const { directory, line, pid, log } = await bench.mount(url, "mounted", ["--prefetch", "none"], { env });
      for (const name of ["big", "sub"]) {
        const [actual, expected] = [`${directory}/${name}`, `${tree}/${name}`];
        await mustRun(["diff", "-r", "--no-dereference", actual, expected]);
      }
      const password = /:\/\/[^/]*:([^@]*)@/.exec(url)?.[1] ?? env.AWS_SECRET_ACCESS_KEY!;
      const tellsNoSecret = (...told: string[]) => {
        for (const text of told) assert.ok(!text.includes(password) && !text.includes("p@ss"), `a secret in ${text}`);
      };
      tellsNoSecret(line, log(), await clip(["mounts"]), Deno.readTextFileSync(`/proc/${pid}/cmdline`));

      // Another archive in its place: what is not cached cannot be had any more, and nothing wrong is read.
      await mustRun(["sh", "-c", "echo new >new"], { cwd: tree });
      await bench.mustClip(["create", tree, "-o", "other.clip"]);
      await plant("of a+b.clip", await Deno.readFile(bench.path("other.clip")));
      const read = await runProgram(["cat", `${directory}/unread`]);
      assert.match(read.stderr, /Input\/output error/);
      assert.match(log(), /was replaced while it was read: open it again/);
      await mustRun(["cmp", `${directory}/big`, `${tree}/big`]);
      await mustRun(["umount", directory]);
      const again = await bench.mount(url, "again", [], { env });
      assert.deepEqual(compareTrees(await listTree(again.directory), await listTree(tree)), []);
      await mustRun(["umount", again.directory]);

      // One without data, whose layers are elsewhere.
      const layers = [writeLayer(bench.path("layout"), [{ path: "file", data: new Uint8Array(300_000).fill(7) }])];
      writeImage(bench.path("layout"), layers, ARCHITECTURE);
      await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "image.clip"]);
      await plant("image.clip", await Deno.readFile(bench.path("image.clip")));
      const image = await bench.mount(`${folder}/image.clip`, "image", [], { env });
      assert.equal((await mustRun(["sha256sum", `${image.directory}/file`])).length > 64, true);
      await mustRun(["umount", image.directory]);
      tellsNoSecret(await clip(["bundle", `${folder}/image.clip`, "box", "true"]));
      await bench.mustClip(["unmount", "box"]);
      tellsNoSecret(await clip(["profile", "show", `${folder}/image.clip`]));
      const add = await bench.clip(["profile", "add", `${folder}/image.clip`, "none.profile"], { env });
      assert.match(add.stderr, /^clip: error: \S+image\.clip cannot be changed where it is: change a copy\n$/);
      tellsNoSecret(add.stderr);

      const fails = (args: string[], message: RegExp, options = { env }) =>
        expectFailure(bench, args, { code: 1, message }, options);
      await fails(["ls", `${folder}/none.clip`], /none\.clip.* does not exist$/);
      await fails(
        ["mount", "--offline", url, directory],
        /^cannot open .*of%20a%2Bb\.clip offline: copy it to a disk$/,
      );
      if (kind.name !== "s3") await fails(["ls", url.replace(/\/\/.*@/, "//")], /status 401$/);
      else {await fails(["ls", url], /\((SignatureDoesNotMatch|InvalidAccessKeyId)\)$/, {
          env: { ...env, AWS_SECRET_ACCESS_KEY: "x" },
        });}
    },
  );
}
