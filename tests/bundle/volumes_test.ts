/** Volumes: those of images, and directories of the machine. */
import assert from "node:assert/strict";
import { bindMount, BundleFolder, imageVolumes, overlayOptions, parseHostVolume } from "../../src/bundle/mod.ts";
import { S_IFDIR } from "../../src/archive/mod.ts";
import { directory, file, openTree, symlink } from "../archive/model_builder.ts";

const { test } = Deno;
const folder = new BundleFolder("/b");

async function volumes(paths: string[], taken: string[] = []) {
  const { tree } = await openTree(directory({
    run: directory({ data: directory({}, { mode: S_IFDIR | 0o1770, uid: 5, gid: 6 }) }),
    var: directory({ run: symlink("/run"), file: file() }),
    "odd\xff": directory({}),
    link: symlink("odd\xff"),
  }));
  return imageVolumes(paths, { tree, folder, taken, userNamespace: false });
}

test("a volume is an overlay over the image's directory, found through its links", async () => {
  const [volume, ...rest] = await volumes(["/var/run/data/"]);
  assert.deepEqual(rest, []);
  assert.deepEqual(volume, {
    mount: {
      destination: "/var/run/data",
      type: "overlay",
      source: "overlay",
      options: [
        "lowerdir=/b/lower/run/data",
        "upperdir=/b/writable/volumes/0/upper",
        "workdir=/b/writable/volumes/0/work",
      ],
    },
    places: {
      lower: "/b/lower/run/data",
      upper: "/b/writable/volumes/0/upper",
      work: "/b/writable/volumes/0/work",
    },
    attributes: { mode: 0o1770, uid: 5, gid: 6 },
  });
});

test("a volume that the image has nothing for lies over an empty directory", async () => {
  const [volume] = await volumes(["/new"]);
  assert.equal(volume?.places.lower, "/b/writable/volumes/0/empty");
  assert.deepEqual(volume?.attributes, { mode: 0o755, uid: 0, gid: 0 });
});

test("one volume a path, and none where something else is mounted", async () => {
  const found = await volumes(["/a", "/a/", "//a", "/b", "/c"], ["/b/"]);
  assert.deepEqual(found.map(({ mount }) => mount.destination), ["/a", "/c"]);
});

test("volumes that cannot be are errors that name them", async () => {
  for (const path of ["data", "", "/", "/..", "/a/../../etc", "/a/.."]) {
    await assert.rejects(volumes([path]), { code: "corrupt", message: new RegExp(`volume ${JSON.stringify(path)}`) });
  }
  await assert.rejects(volumes(["/var/file"]), /volume \/var\/file is no directory/);
  await assert.rejects(volumes(["/link"]), /volume "\/link" lies at a path that is no plain text/);
});

test("paths in options of an overlay are escaped; in a user namespace it keeps notes of another kind", () => {
  assert.deepEqual(overlayOptions({ lower: "/a,b", upper: "/c:d", work: "/e\\f" }, true), [
    "lowerdir=/a\\,b",
    "upperdir=/c\\:d",
    "workdir=/e\\\\f",
    "userxattr",
  ]);
});

test("SRC:DST and SRC:DST:ro", () => {
  const options = (text: string) => bindMount(parseHostVolume(text));
  assert.deepEqual(options("/a:/b"), {
    destination: "/b",
    type: "none",
    source: "/a",
    options: ["rbind", "rprivate", "rw"],
  });
  assert.deepEqual(options("a:/b:ro").options, ["rbind", "rprivate", "ro"]);
  for (const text of ["/a", ":/b", "/a:b", "/a:/b:x", "/a:/b:ro:ro", "/a:/", "/a:/../b", ""]) {
    assert.throws(() => parseHostVolume(text), { code: "usage" }, text);
  }
});
