/** What the layers of the benchmarks hold: real files of a distribution and of this machine, and two made-up extremes. */
import { KIB, MIB } from "../src/base/mod.ts";
import { SeededRandom } from "../tests/codec/seeded_random.ts";
import { tarEntry } from "../tests/tar/tar_builder.ts";
import { Skipped } from "./skipped.ts";
import { runShell } from "./run_shell.ts";

/** Writes one tar. */
export interface Content {
  /** For tables and charts. */
  readonly title: string;
  /**
   * Writes about `maxBytes` of tar, or less where there is no more, to `path`.
   * @throws {Skipped} where the machine lacks what it takes.
   */
  readonly make: (path: string, maxBytes: number) => Promise<void>;
}

const SMALL_FILES = 20_000;
const SMALL_FILE_MAX_BYTES = 16 * KIB;
/** A tar is longer than was asked for by one file at most. */
const MAX_FILE_BYTES = 64 * MIB;
const HEADER_BYTES = 512;
const BINARIES_FOLDERS = [
  "/usr/bin",
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib",
  "/usr/share",
];

/** Every content, by name. The slices of `binaries` share no file. */
export const CONTENTS: Readonly<Record<string, Content>> = {
  debian: { title: "Debian root", make: makeDebian },
  image: { title: "Debian with Python and build tools", make: makeImageRoot },
  python: { title: "Python installation", make: makePython },
  large: {
    title: "one large file",
    make: (path, maxBytes) => makeLargeFiles(path, maxBytes, maxBytes - HEADER_BYTES * 4),
  },
  small: { title: "20,000 small files", make: makeSmallFiles },
  binaries: { title: "binaries", make: (path, maxBytes) => makeFromFolders(path, BINARIES_FOLDERS, { maxBytes }) },
  usr: { title: "/usr of this machine", make: (path, maxBytes) => makeFromFolders(path, ["/usr"], { maxBytes }) },
  ...Object.fromEntries([1, 2, 3].map((slice) => [`binaries-${slice + 1}`, {
    title: `binaries, slice ${slice + 1}`,
    make: (path: string, maxBytes: number) =>
      makeFromFolders(path, BINARIES_FOLDERS, { maxBytes, skipBytes: slice * maxBytes }),
  }])),
};

/** A Debian root file system, the same at every run; /usr of this machine where mmdebstrap cannot make one. */
async function makeDebian(path: string, maxBytes: number): Promise<void> {
  const script = `SOURCE_DATE_EPOCH=1700000000 mmdebstrap --quiet --variant=important --mode=root bookworm "$1"`;
  const made = await runShell(script, [path]).then(() => true, () => false);
  // A cut tar is no tar: where less is asked for, files of the machine are as good.
  if (made && (await Deno.stat(path)).size <= maxBytes) return;
  await makeFromFolders(path, ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", "/etc"], { maxBytes });
}

/** What the usual image of an interpreted language is made on: Debian, Python, git, compilers. Not cut to a length. */
async function makeImageRoot(path: string): Promise<void> {
  const packages = "python3,python3-pip,git,curl,build-essential,ca-certificates";
  const script = `SOURCE_DATE_EPOCH=1700000000 mmdebstrap --quiet --variant=minbase --mode=root "$2" bookworm "$1"`;
  await runShell(script, [path, `--include=${packages}`]).catch((error) => {
    throw new Skipped(`mmdebstrap made no Debian: ${error instanceof Error ? error.message : error}`);
  });
}

async function makePython(path: string, maxBytes: number): Promise<void> {
  const ask = `python3 -c 'import sys; print("%s/lib/python%d.%d" % ((sys.base_prefix,) + sys.version_info[:2]))'`;
  const folder = (await runShell(ask, []).catch(() => {
    throw new Skipped("there is no python3 on this machine");
  })).trim();
  await makeFromFolders(path, [folder], { maxBytes });
}

/** Files of `fileBytes` each that compress to a little more than half. */
async function makeLargeFiles(path: string, maxBytes: number, fileBytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  for (const piece of largeFiles(maxBytes, fileBytes)) await writeAll(file, piece);
}

/** The tar that `makeLargeFiles` writes, in pieces. */
function* largeFiles(maxBytes: number, fileBytes: number): Generator<Uint8Array<ArrayBuffer>> {
  const piece = new Uint8Array(1 << 20);
  const words = new Uint32Array(piece.buffer);
  const vocabulary = new SeededRandom(7).bytes(4096);
  let state = 1;
  const fill = () => {
    for (let at = 0; at < piece.length; at += 1024) {
      for (let word = at / 4; word < at / 4 + 128; word++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        words[word] = state;
      }
      const from = (state >>> 8) % (vocabulary.length - 512);
      piece.set(vocabulary.subarray(from, from + 512), at + 512);
    }
  };
  for (let made = 0, number = 0; made + fileBytes + 3 * HEADER_BYTES <= maxBytes; number++) {
    const size = fileBytes - fileBytes % 512;
    yield tarEntry({ path: `srv/data/large-${number}.bin`, size });
    for (let at = 0; at < size; at += piece.length) {
      fill();
      yield piece.slice(0, Math.min(piece.length, size - at));
    }
    made += size + HEADER_BYTES;
  }
  yield new Uint8Array(2 * HEADER_BYTES);
}

/** As many of this machine's small files as are asked for, or all there are. */
async function makeSmallFiles(path: string, maxBytes: number): Promise<void> {
  const folders = ["/usr/lib", "/usr/share", "/usr/include"];
  await makeFromFolders(path, folders, { maxBytes, maxFiles: SMALL_FILES, maxFileBytes: SMALL_FILE_MAX_BYTES });
}

/** A file or link of this machine. */
interface SourceFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** The same for all hard links to one file; undefined where there is one only. */
  readonly linkedAs: string | undefined;
}

/** Which files a tar is made of. */
interface FileChoice {
  /** Of all files together. */
  readonly maxBytes: number;
  /** Leaves out the first so many bytes of files. */
  readonly skipBytes?: number;
  readonly maxFiles?: number;
  readonly maxFileBytes?: number;
}

/** A tar of the regular files and links below the folders, in order of their names. */
async function makeFromFolders(
  path: string,
  folders: readonly string[],
  { maxBytes, skipBytes = 0, maxFiles = Infinity, maxFileBytes = Math.min(MAX_FILE_BYTES, maxBytes / 2) }: FileChoice,
): Promise<void> {
  const chosen: string[] = [];
  let bytes = 0;
  for await (const file of filesBelowAll(folders)) {
    if (file.sizeBytes > maxFileBytes) continue;
    if (bytes >= skipBytes + maxBytes || chosen.length === maxFiles) break;
    if (bytes >= skipBytes) chosen.push(file.path.slice(1));
    bytes += file.sizeBytes + HEADER_BYTES * 2;
  }
  if (chosen.length === 0) throw new Skipped("this machine has too few files");
  const list = `${path}.list`;
  await Deno.writeTextFile(list, chosen.join("\0"));
  try {
    // Status 1: some file changed while it was read, which does not matter here.
    await runShell(`tar --null --no-recursion -C / -cf "$1" -T "$2" 2>&1 || [ $? = 1 ]`, [path, list]);
  } finally {
    await Deno.remove(list);
  }
}

/** The same for several folders, each file once; further hard links to one have no bytes in a tar. */
async function* filesBelowAll(folders: readonly string[]): AsyncGenerator<SourceFile> {
  const paths = new Set<string>();
  const linked = new Set<string>();
  for (const folder of folders) {
    for await (const file of filesBelow(folder)) {
      if (paths.has(file.path)) continue;
      paths.add(file.path);
      const again = file.linkedAs !== undefined && linked.has(file.linkedAs);
      if (file.linkedAs !== undefined) linked.add(file.linkedAs);
      yield again ? { ...file, sizeBytes: 0 } : file;
    }
  }
}

/** Files and links, in order of their names. */
async function* filesBelow(folder: string): AsyncGenerator<SourceFile> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(folder));
  } catch {
    return; // not on this machine, or not for this user
  }
  for (const { name, isFile, isDirectory, isSymlink } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesBelow(path);
    else if (isSymlink) yield { path, sizeBytes: 0, linkedAs: undefined };
    else if (isFile) {
      const { size, nlink, dev, ino } = await Deno.stat(path);
      yield { path, sizeBytes: size, linkedAs: (nlink ?? 1) > 1 ? `${dev}:${ino}` : undefined };
    }
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
