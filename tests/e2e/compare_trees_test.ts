import assert from "node:assert/strict";
import { compareTrees, listTree } from "./compare_trees.ts";
import { mustRun } from "./programs.ts";
import { e2eTest } from "./workbench.ts";

const MAKE = `mkdir -p d/e && echo text > d/file && ln d/file d/link && ln -s file d/sym && mkfifo d/fifo &&
  mknod d/dev c 1 3 && setfattr -n user.a -v b d/file && printf x > d/$(printf 'caf\\351') && touch -d @1.5 d/e d`;

const CHANGES: readonly [command: string, difference: RegExp][] = [
  ["echo TEXT > d/file; touch -r ../one/d/file d/file", /"\/d\/file": sha256 is .*/],
  ["touch -d @7.000000001 d/file", /"\/d\/file": mtime is 7\.0000000010, expected /],
  ["chmod 4755 d/file", /"\/d\/file": mode is 04755, expected 0644/],
  ["chown 5:6 d/e", /"\/d\/e": uid is 5, expected 0/],
  ["cp -a d/link d/copy && mv d/copy d/link", /"\/d\/link": links is 1, expected 2/],
  ["ln -sf other d/sym", /"\/d\/sym": target is other, expected file/],
  ["rm d/dev; mknod d/dev c 1 5", /"\/d\/dev": device is 1:5, expected 1:3/],
  ["setfattr -n user.a -v c d/file", /"\/d\/file": xattrs is user.a=0x63, expected user.a=0x62/],
  ["mv d/caf* d/cafe", /"\/d\/cafe": should not be there\n"\/d\/caf\u00e9": is missing/],
];

e2eTest("compare_trees: finds each kind of difference and no other", ["root", "getfattr"], async (bench) => {
  const one = bench.directory("one");
  await mustRun(["bash", "-euc", MAKE], { cwd: one });
  const expected = await listTree(one);
  assert.equal(expected.size, 9);
  for (const [command, difference] of CHANGES) {
    const two = bench.path("two");
    await mustRun(["cp", "-a", one, two]);
    assert.deepEqual(compareTrees(await listTree(two), expected), []);
    await mustRun(["bash", "-euc", command], { cwd: two });
    assert.match(compareTrees(await listTree(two), expected).join("\n"), difference);
    await Deno.remove(two, { recursive: true });
  }
});
