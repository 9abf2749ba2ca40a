/** The image that most tests use: made once, by real programs, and kept between runs. */
import { renameSync } from "node:fs";
import { isInstalled, mustRun } from "./programs.ts";
import { concatenate, tarEnd, type TarMember, tarMember } from "./tar_writer.ts";

/** To be raised when what is made below changes: then it is made anew. */
const VERSION = 1;

/** Programs without which there is no test image. */
export const IMAGE_NEEDS = ["root", "umoci", "skopeo", "setcap", "setfattr", "getfattr"] as const;

/** An image and the same image unpacked by another program. Neither is to be changed. */
export interface TestImage {
  /** An OCI layout of the image, with the tag `latest`. */
  readonly layout: string;
  /** For clip and skopeo: `oci:LAYOUT:latest`. */
  readonly reference: string;
  /** The root file system as umoci unpacked it. */
  readonly unpacked: string;
  /** A file of 40 MiB of random bytes, path in the image. */
  readonly bigFile: string;
}

/** The image; made now if no run before this one has made it. */
export async function testImage(): Promise<TestImage> {
  const folder = await keptFolder(`image-${VERSION}`, makeImage);
  const layout = `${folder}/layout`;
  return { layout, reference: `oci:${layout}:latest`, unpacked: `${folder}/bundle/rootfs`, bigFile: "app/big" };
}

/** A folder that `make` has filled, in this run or an earlier one. Kept in the system's folder for temporary files. */
export async function keptFolder(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const kept = `${Deno.env.get("TMPDIR") ?? "/tmp"}/clip-e2e-kept-${Deno.uid()}`;
  Deno.mkdirSync(kept, { recursive: true, mode: 0o700 });
  const folder = `${kept}/${name}`;
  if (exists(folder)) return folder;
  const making = Deno.makeTempDirSync({ dir: kept, prefix: `.${name}-` });
  try {
    await make(making);
    // Another run may have been faster: then its folder is the one.
    if (!exists(folder)) renameSync(making, folder);
  } finally {
    if (exists(making)) Deno.removeSync(making, { recursive: true });
  }
  return folder;
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Three layers: a Debian; changes as umoci finds them; entries that only a program of our own would write. */
async function makeImage(folder: string): Promise<void> {
  const shell = (script: string) => mustRun(["bash", "-euc", script], { cwd: folder, env: { LC_ALL: "C" } });
  await makeRootFileSystem(folder);
  await shell(`umoci init --layout layout && umoci new --image layout:latest
    umoci unpack --image layout:latest bundle
    tar -xpf rootfs.tar -C bundle/rootfs --xattrs --xattrs-include='*' --numeric-owner --exclude=./dev && rm rootfs.tar
    cp bundle/rootfs/usr/bin/env bundle/rootfs/usr/bin/env-with-capability
    setcap cap_net_raw+ep bundle/rootfs/usr/bin/env-with-capability
    mkdir -p bundle/rootfs/srv/replaced/below bundle/rootfs/srv/opaque
    echo lower | tee bundle/rootfs/srv/replaced/below/file bundle/rootfs/srv/opaque/file bundle/rootfs/srv/removed
    umoci repack --image layout:latest bundle && rm -rf bundle`);
  await shell(`umoci unpack --image layout:latest bundle
    cd bundle/rootfs && rm -rf usr/share/doc srv/removed srv/replaced && echo now a file >srv/replaced
    echo changed >etc/issue && chmod 0600 etc/issue && mkdir -p app
    head -c 41943040 /dev/urandom >app/big && setfattr -n user.test -v hello app/big && chmod 4755 app/big
    cp -a usr/bin/env-with-capability app/env && ln app/env app/env-linked
    mkfifo app/fifo && mknod app/device c 300 70000 && mknod app/block b 8 1 && ln -s ../nowhere app/dangling
    chown 4000000000:70000 app/fifo && chmod 3771 app
    cd ../.. && umoci repack --image layout:latest bundle && rm -rf bundle`);
  await Deno.writeFile(`${folder}/own.tar`, concatenate([...ownEntries().map(tarMember), tarEnd()]));
  await shell(`umoci raw add-layer --image layout:latest own.tar && rm own.tar
    umoci config --image layout:latest --config.cmd /bin/sh && umoci gc --layout layout
    umoci unpack --image layout:latest bundle`);
}

function ownEntries(): TarMember[] {
  const text = new TextEncoder().encode("written by hand\n");
  return [
    { path: "srv/opaque/", type: "5", mode: 0o755, mtime: "1600000000.000000001" },
    { path: "srv/opaque/.wh..wh..opq" },
    { path: "srv/opaque/kept", data: text },
    { path: "srv/linked-from-below", type: "1", link: "usr/bin/env-with-capability" },
    { path: "srv/old", data: text, mtime: "-304815476.876543211" },
    {
      path: "srv/ns",
      data: text,
      mtime: "1700000000.123456789",
      xattrs: { "user.one": "1", "user.binary": "\x00\xff" },
    },
    { path: "srv/caf\xe9 \x01\xff", data: text },
    { path: `srv/${"n".repeat(255)}`, data: text },
    { path: `srv/${"d".repeat(120)}/`, type: "5", mode: 0o1777, mtime: "5" },
    { path: `srv/${"d".repeat(120)}/${"l".repeat(120)}`, type: "2", link: "t".repeat(3000), mtime: "6" },
    { path: "srv/empty", mode: 0o2711, uid: 12345, gid: 54321 },
  ];
}

/** rootfs.tar: a small Debian with Python, or where mmdebstrap cannot be had, some of this machine's own files. */
async function makeRootFileSystem(folder: string): Promise<void> {
  const epoch = { SOURCE_DATE_EPOCH: "1700000000" };
  if (isInstalled("mmdebstrap")) {
    const include = "--include=python3,attr,libcap2-bin";
    const command = ["mmdebstrap", "--variant=minbase", include, "--quiet", "bookworm", "rootfs.tar"];
    await mustRun(command, { cwd: folder, env: epoch });
  } else {
    // deno-lint-ignore no-console -- says what is tested instead
    console.log("mmdebstrap is not installed: the test image holds programs of this machine");
    const paths = "bin sbin lib lib64 usr/bin usr/sbin usr/lib/x86_64-linux-gnu usr/lib/python3* usr/share/doc etc";
    const tar = `cd / && tar -cf "$OLDPWD/rootfs.tar" --xattrs --numeric-owner $(ls -d ${paths} 2>/dev/null)`;
    await mustRun(["bash", "-euc", tar], { cwd: folder });
  }
}
