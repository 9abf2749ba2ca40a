/** Mounts as the lower directory of an overlayfs: what is written over them, and the programs of whole systems on top. */
import assert from "node:assert/strict";
import { compareTrees, listTree, type TreeListing } from "../e2e/compare_trees.ts";
import { ARCHITECTURE, writeImage, writeTarLayer } from "../e2e/oci_layout.ts";
import { mustRun, runProgram } from "../e2e/programs.ts";
import { IMAGE_NEEDS, testImage } from "../e2e/test_image.ts";
import { e2eTest, type Workbench } from "../e2e/workbench.ts";
import { tar } from "../tar/tar_builder.ts";
import { directory, file, hardLink, symlink } from "./entries.ts";

const NEEDS = ["/dev/fuse", "root", "umoci", "getfattr", "setfattr", "getcap", "setcap"] as const;
const CAPABILITY = "\x01\x00\x00\x02\x00\x20" + "\x00".repeat(14);
/** What lies on the disk where tests have their folders may itself be an overlay, which cannot be an upper directory. */
const UPPERS = {
  tmpfs: ["mount", "-t", "tmpfs", "none"],
  disk: ["mount", "-o", "loop"],
} as const;

async function mounted(bench: Workbench, reference: string): Promise<string> {
  await bench.mustClip(["index", reference, "-o", "image.clip", "--progress", "none"]);
  return (await bench.mount(bench.path("image.clip"), "lower")).directory;
}

/** An overlay with `lower` below and an upper directory on a file system of its own: in memory, or ext4. */
async function overlay(bench: Workbench, lower: string, upper: keyof typeof UPPERS): Promise<string> {
  const writable = bench.directory(`writable-${upper}`);
  if (upper === "disk") {
    await mustRun(["truncate", "-s", "256M", bench.path("disk.img")]);
    await mustRun(["mkfs.ext4", "-q", bench.path("disk.img")]);
  }
  await mustRun([...UPPERS[upper], ...(upper === "disk" ? [bench.path("disk.img")] : []), writable]);
  const merged = bench.directory(`merged-${upper}`);
  const folders = { lowerdir: lower, upperdir: `${writable}/upper`, workdir: `${writable}/work` };
  Deno.mkdirSync(folders.upperdir);
  Deno.mkdirSync(folders.workdir);
  // The root of an overlay is the upper directory itself.
  const asLower = 'chown --reference="$1" "$2"; chmod --reference="$1" "$2"; touch -r "$1" "$2"';
  await mustRun(["bash", "-euc", asLower, "bash", lower, folders.upperdir]);
  const options = Object.entries(folders).map(([name, folder]) => `${name}=${folder}`).join(",");
  await mustRun(["mount", "-t", "overlay", "overlay", "-o", options, merged]);
  return merged;
}

const text = "some text, long enough to tell it from less\n".repeat(3000);

function writeFilesImage(layout: string): void {
  const attributes = { mode: 0o755, mtime: "1500000000.123456789", uid: 12, gid: 34 };
  const entries = [
    directory("./", { mode: 0o755 }),
    directory("d/", { mode: 0o2750, uid: 5, gid: 6, xattrs: { "user.dir": "d", "trusted.dir": "t" } }),
    file("d/inner", text),
    file("d/other", "other"),
    file("appended", text, { ...attributes, xattrs: { "user.a": "1", "trusted.b": "\x00\xff" } }),
    file("capable", text, { ...attributes, xattrs: { "security.capability": CAPABILITY } }),
    file("mode", "m", attributes),
    file("owner", "o", attributes),
    file("gone", "g"),
    file("moved", "moved", attributes),
    file("linked", "l", attributes),
    hardLink("linked-too", "linked"),
    symlink("symlink", "moved", { mtime: "1400000000.5" }),
    directory("emptied/"),
    file("emptied/x", "x"),
    file("truncated", text, attributes),
  ];
  writeImage(layout, [writeTarLayer(layout, tar(...entries))], ARCHITECTURE);
}

/** Changes of every kind; run in the overlay and in a plain copy of the tree. */
const CHANGES = `
  echo appended >> appended
  echo new > new; mkdir new-directory; echo x > new-directory/x; mkfifo new-fifo; ln -s new new-symlink
  setfattr -n user.more -v more capable; chown 12:34 capable; setcap cap_net_raw+ep capable
  chmod 4711 mode; chown 77:88 owner; chown -h 3:4 symlink
  rm gone; mv moved renamed; mv d/inner inner; mv new-directory d/moved-in
  ln linked linked-three; echo changed >> linked-three
  rm -r emptied; mkdir emptied; chmod 700 emptied; rm d/other; echo again > d/other
  truncate -s 100 truncated; setfattr -x user.dir d; setfattr -n trusted.dir -v changed d
  find . -exec touch -h -d @1000000000.25 {} +
`;

for (const upper of ["tmpfs", "disk"] as const) {
  const needs = upper === "disk" ? [...NEEDS, "mkfs.ext4"] : NEEDS;
  e2eTest(`overlay: changes of every kind over a mount, kept on ${upper}`, needs, async (bench) => {
    bench.directory("layout");
    writeFilesImage(bench.path("layout"));
    const lower = await mounted(bench, `oci:${bench.path("layout")}:latest`);
    const before = await listTree(lower);
    const merged = await overlay(bench, lower, upper);
    assert.deepEqual(compareTrees(oneNameEach(await listTree(merged)), oneNameEach(before)), []);

    // Copied up, a file is as it was: first the metadata, then all of it.
    await mustRun(["bash", "-euc", "touch -c -d @1500000000.123456789 capable; : >> appended"], { cwd: merged });
    assert.deepEqual(compareTrees(oneNameEach(await listTree(merged)), oneNameEach(before)), []);
    assert.equal(await mustRun(["getcap", "capable"], { cwd: merged }), "capable cap_net_raw=ep\n");

    // A plain copy. There, and not in an overlay without an index of inodes, further names of a file change with it.
    const plain = bench.directory("plain");
    await mustRun(["cp", "-a", `${lower}/.`, plain]);
    await mustRun(["bash", "-euc", "cp -a linked own && mv own linked"], { cwd: plain });
    for (const folder of [merged, plain]) await mustRun(["bash", "-euc", CHANGES], { cwd: folder });
    const [actual, expected] = await Promise.all([merged, plain].map((folder) => listTree(folder)));
    for (const tree of [actual!, expected!]) tree.delete("linked-too");
    assert.deepEqual(compareTrees(actual!, expected!), []);
    assert.deepEqual(compareTrees(await listTree(lower), before), [], "the mount has not changed");
  });
}

/** An overlay shows link counts, but gives each name of a file that lies below an inode of its own. */
function oneNameEach(tree: TreeListing): TreeListing {
  return new Map([...tree].map(([path, { sameFileAs: _, ...node }]) => [path, node]));
}

e2eTest("overlay: Debian's and Python's programs at work", ["/dev/fuse", ...IMAGE_NEEDS], async (bench) => {
  const lower = await mounted(bench, (await testImage()).reference);
  const merged = await overlay(bench, lower, "tmpfs");
  const run = (...command: string[]) => mustRun(["chroot", merged, ...command], { env: { LC_ALL: "C" } });
  assert.match(
    await run("/bin/sh", "-c", "dpkg-query -W -f '${Status}\\n' | sort | uniq -c"),
    /^ *\d+ install ok installed\n$/,
  );
  await run("/bin/sh", "-c", "adduser --system --home /home/new someone");
  assert.match(await run("id", "someone"), /uid=\d+\(someone\)/);
  const script = `
import compileall, sqlite3, subprocess
assert compileall.compile_dir('/usr/lib/python3.11/json', quiet=1, force=True)
base = sqlite3.connect('/srv/base.db')
base.execute('create table numbers(n)')
base.executemany('insert into numbers values (?)', ((n,) for n in range(10000)))
base.commit()
print(base.execute('select sum(n) from numbers').fetchone()[0], subprocess.check_output(['/bin/echo', 'child']).decode().strip())
`;
  assert.equal(await run("/usr/bin/python3", "-c", script), "49995000 child\n");
  assert.ok(Deno.statSync(`${merged}/srv/base.db`).size > 0);
});

e2eTest("overlay: Node at work", ["/dev/fuse", "root", "umoci", "node", "ldd"], async (bench) => {
  const root = bench.directory("rootfs");
  await mustRun([
    "bash",
    "-euc",
    `
    node=$(readlink -f "$(command -v node)")
    mkdir -p "$1/bin" "$1/app/node_modules/greeting" "$1/tmp"
    cp "$node" "$1/bin/node"
    for library in $(ldd "$node" | grep -o '/[^ ]*'); do mkdir -p "$1$(dirname $library)"; cp -L "$library" "$1$library"; done
    echo "module.exports = (name) => 'hello ' + name" > "$1/app/node_modules/greeting/index.js"`,
    "bash",
    root,
  ]);
  await mustRun([
    "bash",
    "-euc",
    `umoci init --layout layout && umoci new --image layout:latest
    umoci insert --image layout:latest rootfs /`,
  ], { cwd: bench.folder });
  const merged = await overlay(bench, await mounted(bench, `oci:${bench.path("layout")}:latest`), "tmpfs");
  const script = `
    const fs = require('fs'), http = require('http'), zlib = require('zlib');
    fs.writeFileSync('/app/written', require('/app/node_modules/greeting')('overlay'));
    fs.appendFileSync('/app/node_modules/greeting/index.js', '// changed');
    const packed = zlib.gzipSync(fs.readFileSync('/bin/node').subarray(0, 1e7));
    console.log(fs.readFileSync('/app/written', 'utf8'), zlib.gunzipSync(packed).length);`;
  const { code, stdout, stderr } = await runProgram(["chroot", merged, "/bin/node", "-e", script]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "hello overlay 10000000\n");
});
