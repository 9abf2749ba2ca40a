/** Layers whose tar is wrong, or leads outside. */
import { join, longHeader, numberField, paxHeader, tarEntry } from "../tar/tar_builder.ts";
import { entriesCase, type HostileCase, layerOf, writeHostileImage } from "./hostile_case.ts";

const DEEP = "d/".repeat(2000);
/** Two numbers for each of 200,000 runs, in decimal lines and whole blocks. */
const MANY_RUNS = `200000\n${"1\n0\n".repeat(200_000)}`;

/** Each of one image. */
export const ENTRY_CASES: readonly HostileCase[] = [
  entriesCase(
    "a name with ..",
    /tar layer 0, entry a\/\.\.\/\.\.\/etc\/passwd: bad name: found \S+, expected a path without \.\./,
    { path: "a/../../etc/passwd", data: "x" },
  ),
  entriesCase("a name that is ..", /tar layer 0, entry \.\.: bad name: found \.\., expected a path without \.\./, {
    path: "..",
    type: "5",
  }),
  entriesCase(
    "a file that would be the root",
    /tar layer 0, entry \/: bad type of the root entry: found file, expected directory/,
    { path: "/", data: "x" },
  ),
  entriesCase(
    "a hard link out of the root",
    /tar layer 0, entry l: bad hard link target: found \.\.\/\.\.\/etc\/passwd, expected a path without \.\./,
    { path: "l", type: "1", linkName: "../../etc/passwd" },
  ),
  entriesCase(
    "a hard link to nothing",
    /tar layer 0, entry l: bad hard link target: found \/etc\/shadow, expected a file in this layer before.*/,
    { path: "l", type: "1", linkName: "/etc/shadow" },
  ),
  entriesCase(
    "a hard link through a symlink, which stays inside",
    /tar layer 0, entry l: bad hard link target: found out\/passwd, expected a file.*/,
    { path: "out", type: "2", linkName: "/../../etc" },
    { path: "l", type: "1", linkName: "out/passwd" },
  ),
  entriesCase("a file below a file", /tar layer 0, entry a\/b: bad path: found a\/b, expected a directory at a/, {
    path: "a",
    data: "x",
  }, { path: "a/b", data: "x" }),
  entriesCase(
    "symlinks in a circle on the way",
    /tar layer 0, entry a\/f: bad path: found a\/f, expected at most 40 symlinks on the way/,
    { path: "a", type: "2", linkName: "b" },
    { path: "b", type: "2", linkName: "a" },
    { path: "a/f", data: "x" },
  ),
  entriesCase(
    "a symlink to itself on the way",
    /tar layer 0, entry a\/f: bad path: found a\/f, expected at most 40 symlinks on the way/,
    { path: "a", type: "2", linkName: "a" },
    { path: "a/f" },
  ),
  entriesCase(
    "a name of 256 bytes",
    /tar layer 0, entry n{256}: bad length of a component of name: found 256, expected at most 255/,
    longHeader("n".repeat(256)),
    { path: "n" },
  ),
  entriesCase(
    "a path 10,000 deep",
    /layer 0: tar: bad path at byte 20992: found "(d\/){50}…", 20000 bytes, expected 1 to 16384 bytes/,
    longHeader("d/".repeat(10_000)),
    { path: "d", type: "5" },
  ),
  entriesCase(
    "a path 4,097 deep",
    /tar layer 0, entry (d\/){150}: bad depth of name: found 4097, expected at most 4096/,
    longHeader("d/".repeat(4097)),
    { path: "d", type: "5" },
  ),
  entriesCase(
    "a path deeper than it is long, through symlinks",
    /tar layer 0, entry a\/[d\/]+: bad depth of path: found 4097, expected at most 4096/,
    longHeader(DEEP),
    { path: "d", type: "5" },
    longHeader(DEEP.slice(0, -1), "K"),
    { path: "a", type: "2", linkName: "d", format: "gnu" },
    longHeader(`a/${DEEP}x/${DEEP.slice(0, 400)}`),
    { path: "d", type: "5" },
  ),
  entriesCase(
    "a header with another checksum",
    /layer 0: tar: bad chksum at byte 0: found 3807, expected 3806/,
    { path: "a", checksumError: 1 },
  ),
  entriesCase(
    "a size of 2^63",
    /layer 0: tar: bad size at byte 0: found "\S+", expected at most 9007199254740991/,
    { path: "a", raw: { 124: numberField(2 ** 63, 12) } },
  ),
  entriesCase(
    "a size in base 256 beyond any number",
    /layer 0: tar: bad size at byte 0: found "\S+", expected at most 9007199254740991/,
    { path: "a", raw: { 124: "\x80" + "\xff".repeat(11) } },
  ),
  entriesCase(
    "a negative size",
    /layer 0: tar: bad size at byte 0: found -512, expected 0 to 9007199254740991/,
    { path: "a", raw: { 124: numberField(-512, 12) } },
  ),
  entriesCase(
    "a size that is no number",
    /layer 0: tar: bad size at byte 0: found "12x4567890\\x00\\x00", expected an octal number/,
    { path: "a", raw: { 124: "12x4567890\0\0" } },
  ),
  entriesCase(
    "a size beyond the stream",
    /layer 0: tar: bad data at byte 0: found the end of the stream at byte 1536/,
    { path: "a", size: 1 << 30 },
  ),
  entriesCase(
    "a size beyond 2^53 in a PAX record",
    /layer 0: tar: bad size at byte 1024: found "9007199254740993", expected 0 to 9007199254740991/,
    paxHeader({ size: "9007199254740993" }),
    { path: "a" },
  ),
  entriesCase(
    "a negative size in a PAX record",
    /layer 0: tar: bad size at byte 1024: found "-1", expected 0 to 9007199254740991/,
    paxHeader({ size: "-1" }),
    { path: "a" },
  ),
  entriesCase(
    "a PAX size that overrides a right one",
    /layer 0: tar: bad data at byte 1024: found the end of the stream at byte 3072/,
    paxHeader({ size: "2048" }),
    { path: "a", data: "x" },
  ),
  entriesCase(
    "a negative uid",
    /layer 0: tar: bad uid at byte 0: found -1, expected 0 to 4294967295/,
    { path: "a", raw: { 108: numberField(-1, 8) } },
  ),
  entriesCase(
    "a uid of 2^32",
    /layer 0: tar: bad uid at byte 1024: found "4294967296", expected 0 to 4294967295/,
    paxHeader({ uid: `${2 ** 32}` }),
    { path: "a" },
  ),
  entriesCase(
    "a time that is none",
    /layer 0: tar: bad mtime at byte 1024: found "1e9", expected decimal seconds/,
    paxHeader({ mtime: "1e9" }),
    { path: "a" },
  ),
  entriesCase(
    "a device of 13 bits",
    /layer 0: tar: bad devmajor at byte 0: found 4096, expected 0 to 4095/,
    { path: "a", type: "3", major: 4096 },
  ),
  entriesCase(
    "a PAX record longer than its header",
    /layer 0: tar: bad PAX record at byte 0: found "99 path=a\\n", expected a length and a space/,
    tarEntry({ path: "p", type: "x", data: "99 path=a\n" }),
    {
      path: "a",
    },
  ),
  entriesCase(
    "a PAX record shorter than it says",
    /layer 0: tar: bad PAX record at byte 0: found "8 path=abc\\n", expected a newline as its last of 8 bytes/,
    tarEntry({ path: "p", type: "x", data: "8 path=abc\n" }),
    {
      path: "a",
    },
  ),
  entriesCase(
    "a PAX record of length 0",
    /layer 0: tar: bad PAX record at byte 0: found "0 path=a\\n", expected a newline as its last of 0 bytes/,
    tarEntry({ path: "p", type: "x", data: "0 path=a\n" }),
    { path: "a" },
  ),
  entriesCase(
    "a PAX path with a NUL",
    /layer 0: tar: bad path at byte 1024: found "a\\x00b", expected no NUL/,
    paxHeader({ path: "a\0b" }),
    { path: "a" },
  ),
  entriesCase(
    "a PAX path without bytes behind it",
    /layer 0: tar: bad path at byte 1024: found nothing, expected 1 to 16384 bytes/,
    paxHeader({ path: "" }),
    { path: "" },
  ),
  entriesCase(
    "an extended header of 2 GiB",
    /layer 0: tar: bad size of an extended header at byte 0: found 2147483648, expected at most 1048576 bytes/,
    { path: "p", type: "x", size: 2 ** 31 },
  ),
  entriesCase(
    "a long name of 4 GiB",
    /layer 0: tar: bad size of an extended header at byte 0: found 4294967296, expected at most 1048576 bytes/,
    { path: "p", type: "L", size: 2 ** 32, format: "gnu" },
  ),
  entriesCase(
    "PAX globals without end",
    /layer 0: tar: bad PAX global records at byte 262144: found 257, expected at most 256 records/,
    ...Array.from({ length: 300 }, (_, i) => paxHeader({ [`k${i}`]: "v" }, "g")),
    { path: "a" },
  ),
  entriesCase(
    "1,001 attributes",
    /layer 0: tar: bad xattrs at byte 27648: found "1001", expected at most 1000/,
    paxHeader(manyAttributes(1001)),
    { path: "a" },
  ),
  entriesCase(
    "an attribute of 64 KiB and one byte",
    /layer 0: tar: bad length of SCHILY.xattr.user.a at byte 66560: found "65537", expected at most 65536/,
    paxHeader({ "SCHILY.xattr.user.a": "v".repeat(65_537) }),
    {
      path: "a",
    },
  ),
  entriesCase(
    "a sparse map of 200,000 runs",
    /layer 0: tar: bad sparse map at byte 1024: found more than 131072 runs/,
    paxHeader({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000000" }),
    { path: "a", data: MANY_RUNS.padEnd(Math.ceil(MANY_RUNS.length / 512) * 512, "\0") },
  ),
  entriesCase(
    "sparse runs beyond the file",
    /layer 0: tar: bad sparse map at byte 1024: found end 9007199254740991 in a file of 10 bytes/,
    paxHeader({ "GNU.sparse.map": "0,1,9007199254740990,1", "GNU.sparse.size": "10" }),
    { path: "a", data: "xy" },
  ),
  entriesCase(
    "a whiteout of nothing",
    /tar layer 0, entry d\/.wh.: bad whiteout: found .wh., expected a name after .wh./,
    { path: "d/.wh." },
  ),
  entriesCase(
    "a lone zero block in the middle",
    /layer 0: tar: bad end of archive at byte 1024: found a lone zero block, expected two/,
    { path: "a" },
    new Uint8Array(512),
    { path: "b" },
  ),
  entriesCase(
    "a volume of an archive of several",
    /layer 0: tar: header at byte 0 continues a file of another volume: multi-volume archives are not supported/,
    { path: "a", type: "M", format: "gnu" },
  ),
  {
    name: "a million extended headers before one entry",
    message:
      /layer 0: tar: bad extended headers before one entry at byte \d+: found \d+, expected at most 4194304 bytes/,
    make: (layout) => {
      const header = paxHeader({ comment: "c" });
      const plain = join(...Array.from({ length: 10_000 }, () => header));
      writeHostileImage(layout, [layerOf(plain)]);
    },
  },
];

function manyAttributes(count: number): [string, string][] {
  return Array.from({ length: count }, (_, i) => [`SCHILY.xattr.user.${i}`, "v"]);
}
