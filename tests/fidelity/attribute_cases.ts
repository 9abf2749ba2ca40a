/** Names, times, owners, modes, devices, attributes, sparse files, and how tar writes them. */
import { join, longHeader, paxHeader } from "../tar/tar_builder.ts";
import type { Case } from "./case.ts";
import { device, directory, entry, file, hardLink, symlink } from "./entries.ts";
import { OLD_SPARSE_CASE, SPARSE_CASES } from "./sparse_cases.ts";

/** `security.capability` with cap_net_raw+ep, version 2. Source: linux/capability.h, vfs_cap_data. */
const CAPABILITY = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");

/** Cases that share an image. */
export const ATTRIBUTE_CASES: readonly Case[] = [
  ...SPARSE_CASES,
  {
    name: "ways-to-write-a-path",
    layers: (at) => [[
      directory(at),
      file(`./${at}dot`, "1"),
      file(`/${at}slash`, "2"),
      file(`//${at}/./doubled//`, "3"),
      directory(`${at}no-slash`),
      directory(`${at}slashes//`),
      file(`${at}slashes/./x`, "4"),
      entry(`${at}v7-directory/`, { format: "v7", type: "\0", mode: 0o700 }),
      join(longHeader(`${at}${"g".repeat(200)}`), entry("short", { format: "gnu", data: "5" })),
      join(longHeader("t".repeat(300), "K"), entry(`${at}gnu-link`, { format: "gnu", type: "2", linkName: "t" })),
      entry("in-prefix", { prefix: at.slice(0, -1), data: "6" }),
    ]],
  },
  {
    name: "names",
    layers: (at) => [[
      directory(at),
      file(`${at}${"n".repeat(255)}`, "1"),
      file(`${at}${"\xc3\xa9".repeat(127)}`, "2"),
      file(`${at}latin-1 caf\xe9 \xff\xfe`, "3"),
      file(`${at}new\nline`, "4"),
      file(`${at}back\\slash`, "5"),
      file(`${at}\x01\x1b[31m\x7f`, "6"),
      file(`${at} space `, "7"),
      file(`${at}-dash`, "8"),
      file(`${at}...`, "9"),
      file(`${at}CASE`, "10"),
      file(`${at}case`, "11"),
      file(`${at}composed \xc3\xa9`, "12"),
      file(`${at}decomposed e\xcc\x81`, "13"),
      file(`${at}.wh`, "14"),
      file(`${at}x.wh.y`, "15"),
      symlink(`${at}odd-target`, "new\nline \xff"),
      symlink(`${at}long-target`, "t".repeat(4095)),
      ...Array.from({ length: 15 }, (_, i) => directory(`${at}${`${"d".repeat(250)}/`.repeat(i + 1)}`)),
      file(`${at}${`${"d".repeat(250)}/`.repeat(15)}deep`, "16"),
    ]],
  },
  {
    name: "times",
    layers: (at) => [[
      directory(at),
      file(`${at}nanoseconds`, "", { mtime: "1700000000.123456789" }),
      file(`${at}one-digit`, "", { mtime: "1700000000.5" }),
      file(`${at}more-digits`, "", { mtime: "1700000000.1234567899999" }),
      file(`${at}epoch`, "", { mtime: 0 }),
      file(`${at}before-1970`, "", { mtime: "-304815476.876543211" }),
      file(`${at}just-before-1970`, "", { mtime: "-0.000000001" }),
      file(`${at}base-256`, "", { mtime: -12_345, format: "gnu" }),
      file(`${at}after-2038`, "", { mtime: 2 ** 33 - 1 }),
      file(`${at}base-256-late`, "", { mtime: 8_999_999_999, format: "gnu" }),
      directory(`${at}d/`, { mtime: "3.000000003" }),
      file(`${at}d/x`, "", { mtime: "4.000000004" }),
      symlink(`${at}symlink`, "x", { mtime: "-5.5" }),
      entry(`${at}fifo`, { type: "6", mtime: "6.6" }),
    ]],
  },
  {
    name: "owners",
    layers: (at) => [[
      directory(at, { uid: 1, gid: 2 }),
      file(`${at}largest-octal`, "", { uid: 2_097_151, gid: 2_097_151 }),
      file(`${at}base-256`, "", { uid: 2_097_152, gid: 4_294_967_294, format: "gnu" }),
      file(`${at}pax`, "", { pax: { uid: "4294967294", gid: "2097152" } }),
      symlink(`${at}symlink`, "x", { pax: { uid: "3000000", gid: "4" } }),
      directory(`${at}d/`, { pax: { uid: "3000001", gid: "5" } }),
    ]],
  },
  {
    name: "modes",
    layers: (at) => [[
      directory(at),
      ...[0, 0o111, 0o644, 0o4755, 0o2755, 0o6711, 0o1644, 0o7777].map((mode) =>
        file(`${at}f${mode.toString(8)}`, "x", { mode, uid: 5, gid: 6 })
      ),
      ...[0, 0o700, 0o1777, 0o2775, 0o7777].map((mode) => directory(`${at}d${mode.toString(8)}/`, { mode, uid: 5 })),
      file(`${at}with-type-bits`, "x", { mode: 0o100644 }),
      entry(`${at}setuid-fifo`, { type: "6", mode: 0o4666 }),
    ]],
  },
  {
    name: "types",
    layers: (at) => [[
      directory(at),
      device(`${at}null`, "3", 1, 3),
      device(`${at}large-minor`, "3", 300, 70_000),
      device(`${at}block`, "4", 8, 1),
      device(`${at}largest`, "4", 4095, 1_048_575),
      entry(`${at}fifo`, { type: "6", mode: 0o622 }),
      file(`${at}empty`, ""),
      hardLink(`${at}to-empty`, `${at}empty`),
      hardLink(`${at}to-device`, `${at}null`),
      entry(`${at}v7`, { type: "\0", format: "v7", data: "0" }),
      // Tar has no type for sockets: GNU tar leaves them out, and so there are none in images.
    ]],
  },
  {
    name: "xattrs",
    layers: (at) => [[
      directory(at, { xattrs: { "user.on.directory": "d" } }),
      file(`${at}capability`, "x", { mode: 0o755, xattrs: { "security.capability": CAPABILITY } }),
      file(`${at}binary`, "x", { xattrs: { "user.binary": ALL_BYTES, "user.newline": "a\nb=c\n" } }),
      file(`${at}empty-value`, "x", { xattrs: { "user.zero": "\0" } }),
      file(`${at}many`, "x", {
        xattrs: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`user.n${i}`, `${i}`])),
      }),
      file(`${at}large`, "x", { xattrs: { "user.large": "v".repeat(3000) } }),
      file(`${at}trusted`, "x", { xattrs: { "trusted.key": "\x00\x01" } }),
      file(`${at}odd-name`, "x", { xattrs: { "user.caf\xe9 \x01": "1" } }),
      file(`${at}libarchive`, "x", { pax: { "LIBARCHIVE.xattr.user.encoded%20name": btoa("v\x00w") } }),
    ]],
    differences: { reason: 4, lines: [`"/libarchive": xattrs is user.encoded name=0x760077, expected absent`] },
  },
  {
    name: "pax-oddities",
    layers: (at) => [[
      directory(at),
      file(`${at}size-in-pax`, "12345", { pax: { size: "5" }, size: 5 }),
      file(`${at}own-keywords`, "1", { pax: { "VENDOR.key": "value", comment: "c", atime: "1.5", ctime: "2.5" } }),
      join(paxHeader({ mtime: "5.5" }), paxHeader({ uid: "77" }), file(`${at}two-headers`, "2")),
    ]],
  },
];

/** Cases that umoci refuses: images of their own. */
export const REFUSED_CASES: readonly Case[] = [
  OLD_SPARSE_CASE,
  {
    name: "contiguous-file",
    layers: () => [[directory("./"), entry("contiguous", { type: "7", data: "7" })]],
    umociRefuses: { reason: 5, message: /unknown typeflag '\\x37'/ },
  },
  {
    name: "pax-global",
    layers: () => [[
      directory("./"),
      paxHeader({ comment: "as git archive writes it", mtime: "1500000000.25" }, "g"),
      file("f", "1", { uid: 5 }),
      file("g", "2", { mtime: "1400000000.5" }),
    ]],
    umociRefuses: { reason: 6, message: /unknown typeflag '\\x67'/ },
  },
];
