/** Archives that GNU tar and Python made, in every format, compared with what Python's tarfile lists of them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join as joinPath } from "node:path";
import { toByteString } from "../../src/base/mod.ts";
import type { TarEntry } from "../../src/tar/mod.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import { contents, scanTar } from "./scan_tar.ts";

/** What both sides say of an entry. */
interface Listed {
  path: string;
  kind: string;
  linkName: string;
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  sizeBytes: number;
  device: [number, number];
  sha256: string;
  xattrs: Record<string, string>;
}

const LIST_BY_PYTHON = `
import base64, hashlib, json, math, sys, tarfile
kinds = {b"0": "file", b"\\0": "file", b"7": "file", b"S": "file", b"1": "hardlink", b"2": "symlink",
         b"3": "character-device", b"4": "block-device", b"5": "directory", b"6": "fifo"}
result = []
with tarfile.open(sys.argv[1], "r:", encoding="latin-1", errors="strict") as archive:
    for m in archive:
        kind = kinds[m.type]
        path = m.name + "/" if kind == "directory" and not m.name.endswith("/") else m.name
        device = kind.endswith("device")
        xattrs = {k[13:]: v for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
        content = archive.extractfile(m).read() if kind == "file" else b""
        result.append(dict(path=path, kind=kind, linkName=m.linkname if kind.endswith("link") else "",
            mode=m.mode & 0o7777, uid=m.uid, gid=m.gid, mtimeSeconds=math.floor(m.mtime),
            sizeBytes=m.size if kind == "file" else 0,
            device=[m.devmajor, m.devminor] if device else [0, 0],
            sha256=hashlib.sha256(content).hexdigest() if kind == "file" else "", xattrs=xattrs))
json.dump(result, sys.stdout)
`;

function run(command: string, args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args, env: { LC_ALL: "C" } }).outputSync();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function isInstalled(command: string): boolean {
  try {
    return new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

function listByPython(archivePath: string): Listed[] {
  // Python gives PAX values, which are UTF-8, as text.
  const listed = JSON.parse(run("python3", ["-c", LIST_BY_PYTHON, archivePath])) as Listed[];
  return listed;
}

function listed(archive: Uint8Array, entry: TarEntry): Listed {
  const isFile = entry.kind === "file";
  const xattrs = Object.fromEntries([...entry.xattrs ?? []].map(([name, value]) => [name, toByteString(value)]));
  const path = entry.kind === "directory" && !entry.path.endsWith("/") ? `${entry.path}/` : entry.path;
  return {
    path,
    kind: entry.kind,
    linkName: entry.linkName,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtimeSeconds: entry.mtimeSeconds,
    sizeBytes: entry.sizeBytes,
    device: [entry.deviceMajor, entry.deviceMinor],
    sha256: isFile ? createHash("sha256").update(contents(archive, entry)).digest("hex") : "",
    xattrs,
  };
}

/** A tree with a bit of everything that GNU tar can read; `isShort` keeps names within v7's 100 bytes. */
function makeTree(root: string, isShort: boolean): void {
  const random = new SeededRandom(11);
  const at = (name: string) => joinPath(root, name);
  Deno.mkdirSync(at("dir/sub"), { recursive: true });
  Deno.writeFileSync(at("dir/empty"), new Uint8Array(0));
  Deno.writeFileSync(at("dir/one block"), random.bytes(512));
  Deno.writeFileSync(at("dir/sub/file"), random.bytes(70_001), { mode: 0o600 });
  Deno.linkSync(at("dir/sub/file"), at("dir/zz-hard"));
  Deno.symlinkSync("../target", at("dir/link"));
  Deno.utimeSync(at("dir/one block"), 1_600_000_000, 1_600_000_000);
  run("mkfifo", [at("fifo")]);
  run("chmod", ["6755", at("dir/empty")]);
  if (Deno.uid() === 0) {
    run("mknod", [at("null"), "c", "1", "3"]);
    run("mknod", [at("disk"), "b", "8", "17"]);
    Deno.chownSync(at("dir/one block"), 12345, 54321);
  }
  if (isShort) return;
  const deep = `${"d".repeat(90)}/${"e".repeat(60)}`;
  Deno.mkdirSync(at(deep), { recursive: true });
  Deno.writeFileSync(at(`${deep}/${"f".repeat(50)}`), random.bytes(10));
  Deno.symlinkSync("t".repeat(90), at("long-link"));
}

/** Names and targets beyond what ustar can hold. */
function addLongNames(root: string): void {
  Deno.writeTextFileSync(joinPath(root, "n".repeat(250)), "long name");
  Deno.symlinkSync("t".repeat(400), joinPath(root, "l".repeat(200)));
}

/** Files with holes: at the start, in the middle, at the end, everywhere, and more runs than one header holds. */
function addSparseFiles(root: string): void {
  const make = (name: string, sizeBytes: number, runs: [number, string][]) => {
    const file = Deno.openSync(joinPath(root, name), { write: true, create: true });
    file.truncateSync(sizeBytes);
    for (const [offset, text] of runs) {
      file.seekSync(offset, Deno.SeekMode.Start);
      file.writeSync(new TextEncoder().encode(text));
    }
    file.close();
  };
  make("sparse-start", 1 << 20, [[(1 << 20) - 5, "abcde"]]);
  make("sparse-middle", 1 << 20, [[0, "start"], [(1 << 20) - 5, "abcde"]]);
  make("sparse-end", 1 << 20, [[0, "start"]]);
  make("sparse-all", 1 << 20, []);
  make("sparse-many", 3 << 20, Array.from({ length: 60 }, (_, i): [number, string] => [i * 40960, `run ${i}`]));
}

function check(name: string, prepare: (root: string) => void, tarArgs: string[]): void {
  const missing = ["tar", "python3"].find((command) => !isInstalled(command));
  Deno.test({
    name: `tar: ${name}${missing === undefined ? "" : ` (skipped: ${missing} is not installed)`}`,
    ignore: missing !== undefined,
    fn() {
      const folder = Deno.makeTempDirSync();
      try {
        const root = joinPath(folder, "root");
        Deno.mkdirSync(root);
        prepare(root);
        const archivePath = joinPath(folder, "archive.tar");
        run("tar", ["-cf", archivePath, "-C", root, "--sort=name", ...tarArgs, "."]);
        const archive = Deno.readFileSync(archivePath);
        const { entries, warnings } = scanTar([archive]);
        assert.deepEqual(warnings, []);
        const expected = listByPython(archivePath);
        assert(expected.length > 5);
        assert.deepEqual(entries.map((entry) => listed(archive, entry)), expected);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

check("GNU tar's v7", (root) => makeTree(root, true), [
  "--format=v7",
  "--exclude=./null",
  "--exclude=./disk",
  "--exclude=./fifo",
]);
check("GNU tar's ustar", (root) => makeTree(root, false), ["--format=ustar"]);
for (const format of ["oldgnu", "gnu", "pax"]) {
  check(`GNU tar's ${format}, with long names`, (root) => {
    makeTree(root, false);
    addLongNames(root);
  }, [`--format=${format}`]);
}
check("GNU tar's gnu, with times before 1970 and large ids", (root) => {
  makeTree(root, true);
}, ["--format=gnu", "--mtime=1960-01-02 03:04:05 UTC", "--owner=:3000000000", "--group=:4000000000"]);
check("GNU tar's pax, with times before 1970 and large ids", (root) => {
  makeTree(root, true);
}, ["--format=pax", "--mtime=1960-01-02 03:04:05.5 UTC", "--owner=:3000000000", "--group=:4000000000"]);
check("GNU tar's old sparse files", (root) => {
  makeTree(root, true);
  addSparseFiles(root);
}, ["--format=gnu", "--sparse"]);
for (const version of ["0.0", "0.1", "1.0"]) {
  check(`GNU tar's PAX sparse files, version ${version}`, (root) => {
    makeTree(root, true);
    addSparseFiles(root);
  }, ["--format=pax", "--sparse", `--sparse-version=${version}`]);
}

Deno.test("tar: GNU tar's xattrs", () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(joinPath(folder, "f"), "x");
    const set = new Deno.Command("setfattr", { args: ["-n", "user.clip", "-v", "0x00ff3d0a", joinPath(folder, "f")] });
    try {
      if (!set.outputSync().success) return skip("the file system has no user.* attributes");
    } catch {
      return skip("setfattr is not installed");
    }
    const { stdout } = new Deno.Command("tar", { args: ["-c", "--xattrs", "-C", folder, "f"] }).outputSync();
    const { entries } = scanTar([stdout]);
    assert.deepEqual([...entries[0]!.xattrs!].map(([name, value]) => [name, [...value]]), [
      ["user.clip", [0, 255, 61, 10]],
    ]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

function skip(reason: string): void {
  // deno-lint-ignore no-console -- a skip says why
  console.log(`skipped: ${reason}`);
}
