/** Whiteouts, opaque directories, and what replaces what. */
import type { Case } from "./case.ts";
import { directory, entry, file, hardLink, symlink, whiteout } from "./entries.ts";

/** Cases that share an image. */
export const WHITEOUT_CASES: readonly Case[] = [
  {
    name: "whiteout-of-file-and-directory",
    layers: (at) => [
      [
        directory(at),
        file(`${at}gone`, "1"),
        file(`${at}kept`, "2"),
        directory(`${at}d/`),
        file(`${at}d/a`, "3"),
        directory(`${at}d/e/`),
        file(`${at}d/e/b`, "4"),
      ],
      [whiteout(`${at}.wh.gone`), whiteout(`${at}.wh.d`)],
    ],
  },
  {
    name: "whiteout-of-directory-then-recreated",
    layers: (at) => [
      [directory(at), directory(`${at}d/`, { mode: 0o700 }), file(`${at}d/lower`, "1")],
      [whiteout(`${at}.wh.d`)],
      [directory(`${at}d/`, { mode: 0o711, mtime: 1_500_000_000 }), file(`${at}d/upper`, "2")],
    ],
  },
  {
    name: "whiteout-before-directory-of-its-name",
    layers: (at) => [
      [directory(at), directory(`${at}d/`), file(`${at}d/lower`, "1"), file(`${at}f`, "old")],
      [
        whiteout(`${at}.wh.d`),
        whiteout(`${at}.wh.f`),
        directory(`${at}d/`),
        file(`${at}d/u`, "2"),
        file(`${at}f`, "new"),
      ],
    ],
  },
  {
    name: "whiteout-after-file-of-its-name",
    layers: (at) => [
      [directory(at), file(`${at}f`, "old"), directory(`${at}d/`), file(`${at}d/lower`, "1")],
      [
        directory(`${at}d/`),
        file(`${at}d/u`, "2"),
        file(`${at}f`, "new"),
        whiteout(`${at}.wh.f`),
        whiteout(`${at}.wh.d`),
      ],
    ],
    differences: { reason: 1, lines: [`"/d": mtime is 1600000000.0000000000, expected T`] },
  },
  {
    name: "whiteout-of-what-only-this-layer-has",
    layers: (at) => [[directory(at)], [file(`${at}f`, "new"), whiteout(`${at}.wh.f`), whiteout(`${at}.wh.nothing`)]],
  },
  {
    name: "whiteout-of-one-of-two-hard-links",
    layers: (at) => [[directory(at), file(`${at}a`, "1"), hardLink(`${at}b`, `${at}a`)], [whiteout(`${at}.wh.a`)]],
  },
  {
    name: "whiteout-of-symlink-leaves-its-target",
    layers: (at) => [
      [directory(at), directory(`${at}d/`), file(`${at}d/x`, "1"), symlink(`${at}l`, "d")],
      [whiteout(`${at}.wh.l`)],
    ],
  },
  {
    name: "whiteout-below-a-symlink",
    layers: (at) => [
      [directory(at), directory(`${at}d/`), file(`${at}d/x`, "1"), symlink(`${at}l`, "d")],
      [whiteout(`${at}l/.wh.x`)],
    ],
    differences: { reason: 2, lines: [`"/d/x": should not be there`] },
  },
  {
    name: "opaque-first",
    layers: (at) => [
      [directory(at), directory(`${at}d/`), file(`${at}d/lower`, "1"), directory(`${at}d/e/`), file(`${at}d/e/x`, "2")],
      [directory(`${at}d/`), whiteout(`${at}d/.wh..wh..opq`), file(`${at}d/upper`, "3")],
    ],
  },
  {
    name: "opaque-last",
    layers: (at) => [
      [directory(at), directory(`${at}d/`), file(`${at}d/lower`, "1"), directory(`${at}d/e/`), file(`${at}d/e/x`, "2")],
      [directory(`${at}d/`), directory(`${at}d/e/`), file(`${at}d/upper`, "3"), whiteout(`${at}d/.wh..wh..opq`)],
    ],
    differences: { reason: 1, lines: [`"/d/e": mtime is 1600000000.0000000000, expected T`] },
  },
  {
    name: "opaque-without-an-entry-of-the-directory",
    layers: (at) => [
      [directory(at), directory(`${at}d/`, { mode: 0o750, uid: 7 }), file(`${at}d/lower`, "1")],
      [whiteout(`${at}d/.wh..wh..opq`)],
    ],
  },
  {
    name: "opaque-in-two-layers",
    layers: (at) => [
      [directory(at), directory(`${at}d/`), file(`${at}d/a`, "1")],
      [directory(`${at}d/`), whiteout(`${at}d/.wh..wh..opq`), file(`${at}d/b`, "2")],
      [directory(`${at}d/`), whiteout(`${at}d/.wh..wh..opq`), file(`${at}d/c`, "3")],
      [file(`${at}d/d`, "4")],
    ],
  },
  { name: "replaced-by-each-type", layers: replacements },
  {
    name: "duplicates-in-one-layer",
    layers: (at) => [[
      directory(at),
      file(`${at}f`, "first", { mode: 0o600 }),
      file(`${at}f`, "second", { mode: 0o640, uid: 3 }),
      file(`${at}to-directory`, "x"),
      directory(`${at}to-directory/`),
      file(`${at}to-directory/below`, "y"),
      directory(`${at}to-file/`),
      file(`${at}to-file`, "z"),
      directory(`${at}twice/`, { mode: 0o700 }),
      file(`${at}twice/x`, "1"),
      directory(`${at}twice/`, { mode: 0o711 }),
      symlink(`${at}link`, "one"),
      symlink(`${at}link`, "two"),
    ]],
  },
  {
    name: "attributes-of-a-lower-directory-changed",
    layers: (at) => [
      [directory(at), directory(`${at}d/`, { xattrs: { "user.a": "1", "user.b": "2" } }), file(`${at}d/x`, "1")],
      [directory(`${at}d/`, { mode: 0o1770, uid: 12, gid: 13, mtime: "1.5", xattrs: { "user.b": "3" } })],
    ],
  },
];

/** Every type in the lower layer, and every type in its place in the upper one. */
function replacements(at: string): Uint8Array[][] {
  const types: Record<string, (path: string, layer: string) => Uint8Array> = {
    file: (path, layer) => file(path, layer),
    dir: (path) => directory(`${path}/`),
    symlink: (path, layer) => symlink(path, `../${layer}`),
    fifo: (path) => entry(path, { type: "6" }),
    link: (path) => hardLink(path, `${at}other`),
  };
  const names = Object.keys(types).flatMap((from) => Object.keys(types).map((to) => [from, to] as const));
  const lower = names.flatMap(([from, to]) => {
    const path = `${at}${from}-${to}`;
    return [types[from]!(path, "lower"), ...(from === "dir" ? [file(`${path}/below`, "lower")] : [])];
  });
  const upper = names.map(([from, to]) => types[to]!(`${at}${from}-${to}`, "upper"));
  return [[directory(at), file(`${at}other`, "other"), ...lower], upper];
}

/** Cases about the root. */
export const ROOT_CASES: readonly Case[] = [
  {
    name: "opaque-root",
    layers: () => [
      [directory("./", { mode: 0o750 }), file("a", "1"), directory("d/"), file("d/x", "2")],
      [file("b", "3"), whiteout(".wh..wh..opq"), directory("d/")],
    ],
  },
  {
    name: "opaque-root-written-with-a-dot",
    layers: () => [[directory("d/"), file("a", "1")], [whiteout("./.wh..wh..opq"), file("./b", "3")]],
  },
  {
    name: "root-entry",
    layers: () => [
      [directory("./", {
        mode: 0o1711,
        uid: 5,
        gid: 6,
        mtime: "1234567890.987654321",
        xattrs: { "user.root": "yes" },
      })],
      [file("x", "1"), directory("/", { mode: 0o2755, uid: 7, gid: 8, mtime: "999.000000001" })],
    ],
  },
  { name: "no-entries", layers: () => [[]] },
  { name: "no-layers", layers: () => [] },
];
