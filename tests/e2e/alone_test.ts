/** The executable alone in an empty folder, for root and for another user, and a registry. */
import assert from "node:assert/strict";
import { CLIP_COMMAND } from "./clip_process.ts";
import { runProgram } from "./programs.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";
import { IMAGE_NEEDS, testImage } from "./test_image.ts";
import { e2eTest, until } from "./workbench.ts";

/** Any user may have the device in a mount namespace of the test's own. */
const PREPARE = `mknod device c 10 229 && chmod 666 device && mount --bind device /dev/fuse && cd "$1"
exec setpriv --reuid="$2" --regid="$2" --clear-groups -- env -i HOME="$PWD" PATH="$PATH" sh -euc "$3" sh "$4"`;
const SCRIPT = `
./clip index --progress none "$1" -o image.clip >index.out
mkdir root && ./clip mount --daemon image.clip root >mount.out
cat root/etc/issue.net
./clip unmount root && ls root
./clip run image.clip sh -c 'id -u; echo new >/new && cat /new /etc/issue'
./clip verify image.clip >verify.out
`;

// Deno with the source is not alone.
if (CLIP_COMMAND.length === 1) {
  const needs = ["/dev/fuse", "root", "fusermount3", "runc", "setpriv", "unshare", ...IMAGE_NEEDS, ...REGISTRY_NEEDS];
  for (const uid of [0, 65534]) {
    e2eTest(`the executable alone, as user ${uid}: index, mount, read, unmount, run`, needs, async (bench) => {
      const image = await testImage();
      const issue = await Deno.readTextFile(`${image.unpacked}/etc/issue.net`);
      const { reference } = await publish(bench, image.reference);
      const folder = bench.directory("empty");
      await Deno.copyFile(CLIP_COMMAND[0]!, `${folder}/clip`);
      await Deno.chmod(`${folder}/clip`, 0o755);
      for (const path of [bench.folder, folder]) await Deno.chown(path, uid, uid);
      const namespace = ["unshare", "-m", "--propagation", "private", "sh", "-euc", PREPARE, "sh"];
      const said = await runProgram([...namespace, folder, `${uid}`, SCRIPT, reference], { cwd: bench.folder });
      assert.deepEqual(
        [said.code, said.stdout, said.stderr],
        [0, `${issue}0\nnew\nchanged\n`, ""],
      );
      assert.ok(await until(() => bench.processes().length === 0, 10_000), `left: ${bench.processes()}`);
    });
  }
}
