/** Hard links, symlinks on the way to an entry, and parents that are not there. */
import type { Case } from "./case.ts";
import { directory, entry, file, hardLink, symlink, whiteout } from "./entries.ts";

/** Cases that share an image. */
export const LINK_CASES: readonly Case[] = [
  {
    name: "hard-links",
    layers: (at) => [
      [
        directory(at),
        file(`${at}a`, "1", { mode: 0o4755, uid: 3, mtime: "77.000000007", xattrs: { "user.x": "y" } }),
        hardLink(`${at}to-a`, `${at}a`),
        hardLink(`${at}to-link`, `${at}to-a`, { mode: 0o600, uid: 9 }),
        directory(`${at}d/`),
        hardLink(`${at}d/with-slash`, `/${at}a`),
        hardLink(`${at}d/with-dot`, `./${at}a`),
        entry(`${at}fifo`, { type: "6" }),
        hardLink(`${at}to-fifo`, `${at}fifo`),
        symlink(`${at}symlink`, "a"),
        hardLink(`${at}to-symlink`, `${at}symlink`),
      ],
      [hardLink(`${at}from-above`, `${at}a`), hardLink(`${at}and-again`, `${at}from-above`)],
    ],
  },
  {
    name: "hard-link-whose-target-is-replaced-later",
    layers: (at) => [
      [directory(at), file(`${at}a`, "lower"), hardLink(`${at}b`, `${at}a`)],
      [file(`${at}a`, "upper")],
      [hardLink(`${at}c`, `${at}a`), hardLink(`${at}d`, `${at}b`)],
      [whiteout(`${at}.wh.b`)],
    ],
  },
  {
    name: "hard-link-whose-target-is-replaced-in-its-layer",
    layers: (at) => [[directory(at), file(`${at}a`, "1"), hardLink(`${at}b`, `${at}a`), file(`${at}a`, "2")]],
  },
  {
    name: "hard-link-onto-others",
    layers: (at) => [
      [directory(at), file(`${at}a`, "1"), file(`${at}f`, "2"), directory(`${at}d/`), file(`${at}d/x`, "3")],
      [hardLink(`${at}f`, `${at}a`), hardLink(`${at}d`, `${at}a`)],
    ],
  },
  {
    name: "hard-link-in-a-symlinked-folder",
    layers: (at) => [
      [directory(at), directory(`${at}usr/`), directory(`${at}usr/lib/`), symlink(`${at}lib`, "usr/lib")],
      [file(`${at}usr/lib/x`, "1"), hardLink(`${at}lib/y`, `${at}usr/lib/x`), hardLink(`${at}usr/lib/z`, `${at}lib/x`)],
    ],
  },
  {
    name: "below-symlinks",
    layers: (at) => [
      [
        directory(at),
        directory(`${at}usr/`),
        directory(`${at}usr/lib/`),
        symlink(`${at}relative`, "usr/lib"),
        symlink(`${at}absolute`, `/${at}usr/lib`),
        symlink(`${at}chain`, "middle"),
        symlink(`${at}middle`, "./relative/../lib"),
        symlink(`${at}slashes`, "usr//lib/"),
        symlink(`${at}out`, `../../../../${at}usr/lib`),
        symlink(`${at}absolute-out`, `/../../${at}usr/lib`),
        symlink(`${at}usr/up`, "../usr/lib"),
      ],
      [
        file(`${at}relative/1`, "1"),
        file(`${at}absolute/2`, "2"),
        file(`${at}chain/3`, "3"),
        file(`${at}slashes/4`, "4"),
        file(`${at}out/5`, "5"),
        file(`${at}absolute-out/6`, "6"),
        file(`${at}usr/up/7`, "7"),
        directory(`${at}chain/d/`),
        file(`${at}relative/d/8`, "8"),
        symlink(`${at}relative/9`, "8"),
      ],
    ],
  },
  {
    name: "directory-in-place-of-a-symlink",
    layers: (at) => [
      [
        directory(at),
        directory(`${at}usr/`),
        directory(`${at}usr/lib/`),
        file(`${at}usr/lib/x`, "1"),
        symlink(`${at}lib`, "usr/lib"),
      ],
      [directory(`${at}lib/`), file(`${at}lib/y`, "2")],
    ],
  },
  {
    name: "below-a-dangling-symlink",
    layers: (at) => [[directory(at), symlink(`${at}l`, "not/there")], [file(`${at}l/x`, "1")]],
    differences: {
      reason: 3,
      lines: [
        `"/": mtime is 1600000000.0000000000, expected T`,
        `"/not": mtime is 0.0000000000, expected T`,
        `"/not/there": mtime is 0.0000000000, expected T`,
      ],
    },
  },
  {
    name: "parents-that-are-not-there",
    layers: (at) => [[directory(at), file(`${at}a/b/c`, "1")], [file(`${at}a/d/e`, "2"), directory(`${at}a/`)]],
    differences: {
      reason: 3,
      lines: [
        `"/": mtime is 1600000000.0000000000, expected T`,
        `"/a/b": mtime is 0.0000000000, expected T`,
        `"/a/d": mtime is 0.0000000000, expected T`,
      ],
    },
  },
];
