/** Mutated tar streams: each is read or refused with a ClipError; nothing else ever happens, however it is split. */
import assert from "node:assert/strict";
import { ClipError, toByteString } from "../../src/base/mod.ts";
import type { TarEntry } from "../../src/tar/mod.ts";
import type { SeededRandom } from "../codec/seeded_random.ts";
import type { FuzzTarget } from "../fuzz/fuzz_target.ts";
import { scanTar } from "./scan_tar.ts";
import { join, longHeader, numberField, paxHeader, tar, tarEntry } from "./tar_builder.ts";

/**
 * A stream with something of all that a tar can hold.
 * @param isPlain Without what GNU tar has another mind about: bsdtar's attributes, a sparse map without its number.
 */
export function seedArchive(isPlain = false): Uint8Array<ArrayBuffer> {
  const sparse = { "GNU.sparse.size": "9000", "GNU.sparse.map": "0,2,500,3", "GNU.sparse.name": "real" };
  const sparse1 = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "5000" };
  const runs = join(...[0, 2, 5000, 4].map((value) => numberField(value, 12)));
  return tar(
    paxHeader({ comment: "global", uid: "7" }, "g"),
    tarEntry({ path: "dir/", type: "5", mode: 0o755 }),
    paxHeader({
      path: "long".repeat(50),
      mtime: "-1.5",
      "SCHILY.xattr.user.x": "y",
      ...(isPlain ? {} : { "LIBARCHIVE.xattr.user.z": "AAAA" }),
    }),
    tarEntry({ path: "f", data: "x".repeat(700) }),
    longHeader("l".repeat(300)),
    longHeader("k".repeat(200), "K"),
    tarEntry({ path: "s", type: "2", linkName: "t", format: "gnu" }),
    paxHeader(isPlain ? {} : sparse),
    tarEntry({ path: "a", data: "abcde" }),
    paxHeader(sparse1),
    tarEntry({ path: "b", data: "2\n100\n3\n900\n2\n".padEnd(512, "\0") + "abcde" }),
    tarEntry({ path: "c", type: "S", format: "gnu", data: "abcdef", raw: { 386: runs, 483: numberField(6000, 12) } }),
    tarEntry({ path: "null", type: "3", major: 1, minor: 3 }),
    tarEntry({ path: "last", uid: 2 ** 31, mtime: -5, format: "gnu" }),
  );
}

/** Sums every block that may be a header anew, so that mutations get past the checksum. */
function fixChecksums(bytes: Uint8Array): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (String.fromCharCode(...block.subarray(257, 262)) !== "ustar") continue;
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    const digits = `${sum.toString(8).padStart(6, "0")}\0 `;
    for (let i = 0; i < 8; i++) block[148 + i] = digits.charCodeAt(i);
  }
}

/** A copy with one to six damages, and mostly right checksums. */
export function mutateTar(archive: Uint8Array, random: SeededRandom): Uint8Array {
  const bytes = new Uint8Array(archive);
  for (let count = 1 + random.below(6); count > 0; count--) {
    const block = random.below(bytes.length / 512) * 512;
    switch (random.below(7)) {
      case 0:
        bytes[random.below(bytes.length)] = random.below(256);
        break;
      case 1: // The numeric fields and the type, where most of the meaning is.
        bytes[block + 100 + random.below(57)] = "01234567 \0\x80\xff-9".charCodeAt(random.below(14));
        break;
      case 2:
        bytes[block + 156] = "01234567xgLKSDVMX\0Aj".charCodeAt(random.below(20));
        break;
      case 3: // The start of a block: names, PAX lengths, sparse maps.
        bytes[block + random.below(40)] = "0123456789=,\n \0/".charCodeAt(random.below(16));
        break;
      case 4:
        bytes[block + 386 + random.below(110)] = random.below(3) === 0 ? random.below(256) : 0x30 + random.below(8);
        break;
      case 5:
        bytes.copyWithin(block, random.below(bytes.length / 512) * 512, bytes.length);
        break;
      default:
        if (random.below(4) === 0) return bytes.subarray(0, random.below(bytes.length));
    }
  }
  if (random.below(8) > 0) fixChecksums(bytes);
  return bytes;
}

function outcome(pieces: Iterable<Uint8Array>): { entries: TarEntry[]; warnings: string[] } | string {
  try {
    return scanTar(pieces);
  } catch (error) {
    if (!(error instanceof ClipError)) throw error;
    assert(error.code === "corrupt" || error.code === "unsupported");
    assert(!error.message.includes("\n") && error.message.length < 1000);
    return error.message;
  }
}

function checkEntry(entry: TarEntry): void {
  assert(entry.path.length > 0);
  assert(entry.mode >= 0 && entry.mode <= 0o7777);
  for (const id of [entry.uid, entry.gid]) assert(Number.isInteger(id) && id >= 0 && id < 2 ** 32);
  for (const value of [entry.mtimeSeconds, entry.sizeBytes, entry.storedBytes]) assert(Number.isSafeInteger(value));
  assert(entry.mtimeNanoseconds >= 0 && entry.mtimeNanoseconds < 1e9);
  assert(entry.sizeBytes >= 0 && entry.storedBytes >= 0);
  if (entry.sparse === undefined) return assert.equal(entry.storedBytes, entry.sizeBytes);
  let [stored, end] = [0, 0];
  for (const { fileOffset, lengthBytes } of entry.sparse) {
    assert(fileOffset >= end && lengthBytes > 0);
    end = fileOffset + lengthBytes;
    stored += lengthBytes;
  }
  assert(end <= entry.sizeBytes);
  assert.equal(stored, entry.storedBytes);
}

/** Mutated tar streams, each scanned whole and in pieces. */
export const tarFuzz: FuzzTarget = {
  name: "tar",
  prepare() {
    const archive = seedArchive();
    return (random) => {
      const bytes = mutateTar(archive, random);
      const whole = outcome([bytes]);
      assert.deepEqual(outcome(random.split(bytes, 1 + random.below(1500))), whole);
      if (typeof whole === "string") return { accepted: false };
      whole.entries.forEach(checkEntry);
      return { accepted: true };
    };
  },
};

/**
 * Whether there is something that GNU tar reads in another way than Go's reader and clip: PAX records beside a long name
 * of GNU's, where it takes the former, be they global (the one global header there was has no path); a long name without its NUL, where it reads on behind the data.
 */
function isReadInTwoWays(bytes: Uint8Array): boolean {
  let types = "";
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    if (toByteString(bytes, at + 257, at + 262) !== "ustar") continue;
    const type = String.fromCharCode(bytes[at + 156]!);
    const sizeBytes = parseInt(toByteString(bytes, at + 124, at + 135), 8);
    if ((type === "L" || type === "K") && bytes[at + 511 + sizeBytes] !== 0) return true;
    types += type;
  }
  return /[LK][xgLK]*[xX]|[xX][xgLK]*[LK]|g.*g/.test(types);
}

/** What `tar --list` says of an archive; undefined where it complains of anything. */
function listedByGnuTar(path: string): string[] | undefined {
  const args = ["--list", "--quoting-style=escape", "-f", path];
  const { code, stdout, stderr } = new Deno.Command("tar", { args, env: { LC_ALL: "C" } }).outputSync();
  if (code !== 0 || stderr.length > 0) return undefined;
  return new TextDecoder().decode(stdout).split("\n").slice(0, -1).map((name) => name.replace(/\/+$/, ""));
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

/** A name as GNU tar writes it with --quoting-style=escape, but for slashes at the end. */
function escaped({ path }: TarEntry): string {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  return path.replace(/\/+$/, "").replace(/[\\\x00-\x1f\x7f-\xff]/g, (byte) => {
    return ESCAPES[byte] ?? `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`;
  });
}

/** Mutated tar streams of which neither clip nor GNU tar complains: both list the same names. */
export const gnuTarFuzz: FuzzTarget = {
  name: "gnu-tar",
  missing: isGnuTar() ? undefined : "tar is not GNU's",
  prepare() {
    const archive = seedArchive(true);
    return (random) => {
      const bytes = mutateTar(archive, random);
      const ours = outcome([bytes]);
      if (typeof ours === "string") return { accepted: false };
      if (ours.warnings.length > 0 || isReadInTwoWays(bytes)) return { accepted: true };
      const path = Deno.makeTempFileSync({ prefix: "clip-fuzz-" });
      try {
        Deno.writeFileSync(path, bytes);
        const theirs = listedByGnuTar(path);
        if (theirs !== undefined) assert.deepEqual(ours.entries.map(escaped), theirs);
        return { accepted: true, compared: theirs !== undefined };
      } finally {
        Deno.removeSync(path);
      }
    };
  },
};

function isGnuTar(): boolean {
  try {
    const { stdout } = new Deno.Command("tar", { args: ["--version"] }).outputSync();
    return new TextDecoder().decode(stdout).includes("GNU tar");
  } catch {
    return false;
  }
}
