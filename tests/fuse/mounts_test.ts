import assert from "node:assert/strict";
import { ClipError } from "../../src/base/mod.ts";
import { isFuse, parseMounts, readMounts, resolveMountpoint } from "../../src/fuse/mod.ts";

Deno.test("a table of mounts: optional fields, escapes, options of both kinds", () => {
  const mounts = parseMounts(
    "22 1 0:20 / /proc rw,nosuid shared:5 master:1 - proc proc rw\n" +
      "90 22 0:45 / /mnt/a\\040b\\134c\\011d ro,relatime - fuse.clip my\\040image ro,user_id=0,allow_other\n" +
      "91 22 8:1 /sub / rw - ext4 /dev/sda1\n" +
      "garbage\n",
  );
  assert.equal(mounts.length, 3);
  assert.deepEqual(mounts[1], {
    device: "0:45",
    mountpoint: "/mnt/a b\\c\td",
    type: "fuse.clip",
    source: "my image",
    options: ["ro", "relatime", "ro", "user_id=0", "allow_other"],
  });
  assert.deepEqual(mounts.map(isFuse), [false, true, false]);
  assert.equal(mounts[0]!.type, "proc");
  assert.deepEqual(mounts[2]!.options, ["rw"]);
});

Deno.test("the mounts of this process", async () => {
  assert.ok((await readMounts()).some((mount) => mount.mountpoint === "/proc" && mount.type === "proc"));
});

Deno.test("a mountpoint is made absolute and free of symlinks", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.mkdir(`${folder}/real`);
    await Deno.symlink("real", `${folder}/link`);
    assert.equal(await resolveMountpoint(`${folder}/link/`), `${folder}/real`);
    const isMissing = (error: unknown) => error instanceof ClipError && error.code === "not_found";
    await assert.rejects(resolveMountpoint(`${folder}/missing`), isMissing);
    await assert.rejects(resolveMountpoint(""), /not a path/);
    await assert.rejects(resolveMountpoint("a\0b"), /not a path/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
