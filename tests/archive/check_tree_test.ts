import assert from "node:assert/strict";
import { openArchive, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, SPARSE_LAYER } from "../../src/archive/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import { archiveBytes, contents, directory, file, sampleArchive, symlink } from "./model_builder.ts";
import { direntColumn, inodeColumn, openAndVerify, refuses, type Sections, tampered } from "./signed.ts";

const SAMPLE = sampleArchive();
const { tree: SAMPLE_TREE } = await openArchive(memoryRangeSource(SAMPLE));
const at = (path: string) => SAMPLE_TREE.find(path, { followLast: false })!;
const USR = at("/usr");
const BIN = at("/usr/bin");
const EMPTY = at("/usr/empty");
const PING = at("/usr/bin/ping");
const SPARSE = at("/sparse");
const LINK = at("/bin");
const NULL_DEVICE = at("/dev/null");

/** Fails unless the sample, after `tamper` and signed anew, is refused for `field`. */
async function refusesTampered(field: RegExp, tamper: (sections: Sections) => void): Promise<void> {
  await refuses(tampered(SAMPLE, tamper), field);
}

/** Sets u32 number `index` of a section. */
function setU32(section: Uint8Array<ArrayBuffer>, byte: number, value: number): void {
  new DataView(section.buffer).setUint32(byte, value, true);
}

/** Number of the dirent by which a directory of the sample holds a name. */
function dirent(folder: number, name: string): number {
  const first = SAMPLE_TREE.columns.placeLow[folder]!;
  for (let i = first; i < first + SAMPLE_TREE.columns.placeHigh[folder]!; i++) {
    if (SAMPLE_TREE.direntName(i) === name) return i;
  }
  throw new Error(`no ${name}`);
}

Deno.test("taking a section apart and signing it anew changes nothing", async () => {
  assert.deepEqual(tampered(SAMPLE, () => {}), SAMPLE);
  await openAndVerify(SAMPLE);
});

Deno.test("counts that the sections do not have room for", async () => {
  for (const section of ["inodes", "dirents"] as const) {
    for (const count of [0, 1, 0x7fffffff, 0xffffffff]) {
      const field = new RegExp(`^(inode count|${section} section length)$`);
      await refusesTampered(field, (sections) => setU32(sections[section], 0, count));
    }
    await refusesTampered(new RegExp(`^${section} reserved field$`), (sections) => setU32(sections[section], 4, 1));
    for (const length of [0, 7, 8, 11, 100]) {
      await refusesTampered(new RegExp(`^(inode count|${section} section length)$`), (sections) => {
        sections[section] = sections[section].slice(0, length);
      });
    }
  }
  await refusesTampered(/^extents section length$/, (sections) => sections.extents = sections.extents.slice(1));
  await refusesTampered(/^extents section length$/, (sections) => {
    sections.extents = new Uint8Array([...sections.extents, ...sections.extents.slice(-32)]);
  });
});

Deno.test("a tree without an inode", async () => {
  await refusesTampered(/^inode count$/, (sections) => {
    sections.inodes = new Uint8Array(8 + 14 * 4);
    sections.dirents = new Uint8Array(8 + 4);
  });
});

Deno.test("a tree deeper than any path", async () => {
  const chain = (depth: number) => {
    let node = directory();
    for (let i = 0; i < depth; i++) node = directory({ d: node });
    return archiveBytes(contents(node));
  };
  await openAndVerify(chain(4096));
  await refuses(chain(4097), /^inodes\[4098\] depth$/);
});

Deno.test("entry 0 of the columns is zero", async () => {
  await refusesTampered(/^inodes\[0\]\.gid$/, (sections) => inodeColumn(sections, "gid")[0] = 1);
});

Deno.test("the root is a directory and its own parent", async () => {
  await refusesTampered(/^inodes\[1\]\.mode$/, (sections) => inodeColumn(sections, "mode")[1] = S_IFREG);
  await refusesTampered(/^inodes\[1\]\.parent$/, (sections) => inodeColumn(sections, "parent")[1] = USR);
});

Deno.test("cycles, directories with two names, directories out of order", async () => {
  const give = (child: number) => (sections: Sections) => direntColumn(sections, "inode")[dirent(USR, "bin")] = child;
  await refusesTampered(/^dirents\[\d+\]\.inode$/, give(USR)); // itself
  await refusesTampered(/^dirents\[\d+\]\.inode$/, give(1)); // the root
  await refusesTampered(/^dirents\[\d+\]\.inode$/, give(at("/dev"))); // a directory that has a name already
  await refusesTampered(/^(dirents\[\d+\]\.inode|inodes\[\d+\]\.parent)$/, give(EMPTY)); // twice in one directory
  // A directory that its own grandchild holds, with parent and numbers of links to match, cut off from the root.
  const folder = directory({ b: directory({ c: directory() }) });
  const ring = archiveBytes(contents(directory({ a: folder, f: file() })));
  const [a, f, b] = [2, 3, 4];
  const cut = tampered(ring, (sections) => {
    const inodes = direntColumn(sections, "inode");
    assert.deepEqual([...inodes], [a, f, b, 5]);
    inodes.set([f, f, b, a]);
    inodeColumn(sections, "parent")[a] = b;
    inodeColumn(sections, "nlink")[f] = 2;
    inodeColumn(sections, "nlink")[1] = 2;
  });
  await refuses(cut, /^inodes\[2\]$/);
});

Deno.test("inodes that are named from nowhere", async () => {
  const one = at("/usr/bin/one");
  await refusesTampered(new RegExp(`^inodes\\[${PING}\\]$`), (sections) => {
    direntColumn(sections, "inode")[dirent(BIN, "ping")] = one;
    inodeColumn(sections, "nlink")[one]!++;
  });
  await refusesTampered(new RegExp(`^inodes\\[${EMPTY}\\]$`), (sections) => {
    direntColumn(sections, "inode")[dirent(USR, "empty")] = one;
    inodeColumn(sections, "nlink")[one]!++;
    inodeColumn(sections, "nlink")[USR]!--;
  });
});

Deno.test("directory entries out of range", async () => {
  for (const inode of [0, SAMPLE_TREE.inodeCount + 1, 0xffffffff]) {
    await refusesTampered(/^dirents\[\d+\]\.inode$/, (sections) => {
      direntColumn(sections, "inode")[dirent(BIN, "ping")] = inode;
    });
  }
  for (const [column, value] of [["placeLow", 0], ["placeLow", 0xffffffff], ["placeHigh", 0xffffffff]] as const) {
    await refusesTampered(new RegExp(`^inodes\\[${USR}\\] entries$`), (sections) => {
      inodeColumn(sections, column)[USR] = value;
    });
  }
  // One entry fewer in the last directory that has any: it belongs to none.
  await refusesTampered(
    /^(dirent count|inodes\[\d+\] entries)$/,
    (sections) => inodeColumn(sections, "placeHigh")[BIN]!--,
  );
});

Deno.test("names: empty, too long, unsorted, equal, . and .., with / or NUL", async () => {
  const rename = (from: string, to: string) => (sections: Sections) => {
    const start = SAMPLE_TREE.nameStarts[dirent(BIN, from)]!;
    for (let i = 0; i < to.length; i++) sections.names[start + i] = to.charCodeAt(i);
  };
  await refusesTampered(/^dirents\[\d+\] name$/, rename("ping", "zing"));
  await refusesTampered(/^dirents\[\d+\] name$/, rename("two", "one"));
  await refusesTampered(/^names\[\d+\]$/, rename("ping", "pi/g"));
  await refusesTampered(/^names\[\d+\]$/, rename("ping", "pi\0g"));
  const start = (index: number, value: number) => (sections: Sections) => {
    direntColumn(sections, "nameStart")[index] = value;
  };
  await refusesTampered(/^dirents\.nameStart\[0\]$/, start(0, 1));
  await refusesTampered(/^dirents\[0\] name length$/, start(1, 0));
  await refusesTampered(/^dirents\[0\] name length$/, start(1, 256));
  await refusesTampered(/^dirents\[\d+\] name length$/, start(2, 0xffffffff));
  await refusesTampered(/^names section length$/, start(SAMPLE_TREE.direntCount, 0xffffffff));
  await refusesTampered(/^names section length$/, (sections) => sections.names = sections.names.slice(1));
  for (const name of ["ab", "..", "a", "."]) {
    const one = archiveBytes(contents(directory({ [name.length === 2 ? "ab" : "a"]: file() })));
    const bytes = tampered(one, ({ names }) => [...name].forEach((char, i) => names[i] = char.charCodeAt(0)));
    if (name.startsWith(".")) await refuses(bytes, /^dirents\[0\] name$/);
    else await openAndVerify(bytes);
  }
});

Deno.test("parents and numbers of links that are not so", async () => {
  for (const inode of [PING, BIN, LINK]) {
    for (const parent of [0, EMPTY, 0xffffffff]) {
      await refusesTampered(/^inodes\[\d+\]\.parent$/, (sections) => inodeColumn(sections, "parent")[inode] = parent);
    }
    for (const nlink of [0, 5, 0xffffffff]) {
      await refusesTampered(/^inodes\[\d+\]\.nlink$/, (sections) => inodeColumn(sections, "nlink")[inode] = nlink);
    }
  }
});

Deno.test("modes that are no type, or more than a mode", async () => {
  for (const mode of [0, 0o170000, 0o030000, 0o200000 | S_IFREG]) {
    await refusesTampered(/^inodes\[\d+\]\.mode$/, (sections) => inodeColumn(sections, "mode")[PING] = mode);
  }
});

Deno.test("times out of range", async () => {
  const field = new RegExp(`^inodes\\[${PING}\\]\\.mtime`);
  for (const high of [0x200000, 0x7fffffff, 0x80000000, 0xffdfffff]) {
    await refusesTampered(field, (sections) => inodeColumn(sections, "mtimeHigh")[PING] = high);
  }
  await refusesTampered(field, (sections) => inodeColumn(sections, "mtimeNanoseconds")[PING] = 1e9);
});

Deno.test("data outside its layer", async () => {
  const field = new RegExp(`^inodes\\[${PING}\\]( data|\\.layer|\\.place|\\.size)$`);
  const columns = [
    ["layer", 3],
    ["layer", 0xfffffffe],
    ["placeLow", 8192 - 999],
    ["placeHigh", 1],
    ["placeHigh", 0xffffffff],
    ["sizeLow", 8192 - 511],
    ["sizeHigh", 1],
    ["sizeHigh", 0x1fffff],
    ["sizeHigh", 0xffffffff],
  ] as const;
  for (const [column, value] of columns) {
    await refusesTampered(field, (sections) => inodeColumn(sections, column)[PING] = value);
  }
  await openAndVerify(tampered(SAMPLE, (sections) => inodeColumn(sections, "placeLow")[PING] = 8192 - 1000));
});

Deno.test("types without contents have no size", async () => {
  for (const inode of [USR, NULL_DEVICE, at("/dev/pipe")]) {
    for (const column of ["sizeLow", "sizeHigh"] as const) {
      await refusesTampered(/^inodes\[\d+\]\.size$/, (sections) => inodeColumn(sections, column)[inode] = 1);
    }
  }
  // The type of a file with a size, changed to one that has none.
  await refusesTampered(/^inodes\[\d+\]\.size$/, (sections) => inodeColumn(sections, "mode")[PING] = S_IFIFO);
  await refusesTampered(/./, (sections) => inodeColumn(sections, "mode")[PING] = S_IFDIR);
});

Deno.test("symlinks: targets empty, too long, outside the section", async () => {
  const field = new RegExp(`^inodes\\[${LINK}\\]( target| target length|\\.size)$`);
  const columns = [["sizeLow", 0], ["sizeLow", 4096], ["sizeLow", 8], ["sizeHigh", 1], ["placeLow", 1]] as const;
  for (const [column, value] of [...columns, ["placeLow", 0xffffffff], ["sizeHigh", 0xffffffff]] as const) {
    await refusesTampered(field, (sections) => inodeColumn(sections, column)[LINK] = value);
  }
  const long = tampered(archiveBytes(contents(directory({ link: symlink("x".repeat(4095)) }))), (sections) => {
    sections.targets = new Uint8Array(4096).fill(0x78);
    inodeColumn(sections, "sizeLow")[2] = 4096;
  });
  await refuses(long, /^inodes\[2\] target length$/);
  const file = new RegExp(`^inodes\\[${PING}\\] target$`);
  await refusesTampered(file, (sections) => inodeColumn(sections, "mode")[PING] = S_IFLNK);
});

Deno.test("extents: overlapping, descending, empty, beyond the file or the layer, shared", async () => {
  const set = (extent: number, field: number, value: bigint) => (sections: Sections) =>
    new DataView(sections.extents.buffer).setBigUint64(extent * 32 + field, value, true);
  for (const value of [0n, 4096n, 4607n]) await refusesTampered(/^extents\[1\]\.fileOffset$/, set(1, 0, value));
  await openAndVerify(tampered(SAMPLE, set(1, 0, 4608n)));
  for (const value of [1n << 20n, 2n ** 53n - 1n]) await refusesTampered(/^extents\[1\] end$/, set(1, 0, value));
  for (const value of [2n ** 53n, 2n ** 64n - 1n]) {
    await refusesTampered(/^extents\[1\]\.fileOffset$/, set(1, 0, value));
    await refusesTampered(/^extents\[1\]\.plainOffset$/, set(1, 8, value));
    await refusesTampered(/^extents\[1\]\.lengthBytes$/, set(1, 16, value));
  }
  await refusesTampered(/^extents\[1\]\.lengthBytes$/, set(1, 16, 0n));
  await refusesTampered(/^extents\[1\] data$/, set(1, 8, 8093n));
  await refusesTampered(/^extents\[1\]\.layer$/, set(1, 24, 3n));
  await refusesTampered(/^extents\[1\]\.reserved$/, set(1, 24, 1n << 32n));
  const owned = new RegExp(`^inodes\\[${SPARSE}\\] extents$`);
  const columns = [["placeLow", 1], ["placeLow", 0xffffffff], ["placeHigh", 3], ["placeHigh", 0xffffffff]] as const;
  for (const [column, value] of columns) {
    await refusesTampered(owned, (sections) => inodeColumn(sections, column)[SPARSE] = value);
  }
  await refusesTampered(/^extents section length$/, (sections) => inodeColumn(sections, "placeHigh")[SPARSE] = 1);
});

Deno.test("an empty file that is marked sparse has its extents checked too", async () => {
  const empty = at("/caf\xe9\xff");
  await refusesTampered(/^inodes\[\d+\] extents$/, (sections) => {
    inodeColumn(sections, "layer")[empty] = SPARSE_LAYER;
    inodeColumn(sections, "placeHigh")[empty] = 0xffffffff;
  });
});

Deno.test("two files that share extents are refused: else a small archive could keep a reader busy for hours", async () => {
  const extents = [{ layer: 0, plainOffset: 0, fileOffset: 0, lengthBytes: 10 }];
  const two = archiveBytes(contents(directory({ a: file(10, extents), b: file(10, []) })));
  const bytes = tampered(two, (sections) => inodeColumn(sections, "placeHigh")[3] = 1);
  await refuses(bytes, /^inodes\[3\] extents$/);
  await refuses(
    tampered(bytes as Uint8Array<ArrayBuffer>, (sections) => inodeColumn(sections, "placeLow")[3] = 0),
    /^inodes\[3\] extents$/,
  );
});

Deno.test("attribute sets: wrong starts, counts, lengths, order, reserved field", async () => {
  const root = "xattrs[0]";
  const place = new RegExp(`^inodes\\[${PING}\\]\\.xattrs$`);
  for (const value of [2, 3, 4, 5, 0x7fffffff, 0xffffffff]) {
    await refusesTampered(place, (sections) => inodeColumn(sections, "xattrs")[PING] = value);
  }
  await openAndVerify(tampered(SAMPLE, (sections) => inodeColumn(sections, "xattrs")[PING] = 1));
  const field = (name: string) => new RegExp(`^${root.replaceAll(/[[\]]/g, "\\$&")}${name}$`);
  await refusesTampered(field(" number of attributes"), ({ xattrs }) => setU32(xattrs, 0, 0));
  await refusesTampered(/^xattrs\[\d+\]/, ({ xattrs }) => setU32(xattrs, 0, 0xffffffff));
  await refusesTampered(field(" name length"), ({ xattrs }) => xattrs[4] = 0);
  await refusesTampered(field(" name length"), ({ xattrs }) => xattrs[5] = 1);
  await refusesTampered(field(" reserved field"), ({ xattrs }) => xattrs[6] = 1);
  await refusesTampered(field(" value length"), ({ xattrs }) => setU32(xattrs, 8, 65_537));
  await refusesTampered(field(" value length"), ({ xattrs }) => setU32(xattrs, 8, 0xffffffff));
  await refusesTampered(field(" value length"), ({ xattrs }) => setU32(xattrs, 8, 65_536));
  await refusesTampered(field(" name"), ({ xattrs }) => xattrs[12 + "user.".length] = 0x7a); // user.a → user.z
  await refusesTampered(field(" name"), ({ xattrs }) => xattrs[12 + "user.".length] = 0x62); // user.b twice
  await refusesTampered(/^xattrs section length$/, (sections) => sections.xattrs = sections.xattrs.slice(0, -1));
  await refusesTampered(/^xattrs\[\d+\]/, (sections) => sections.xattrs = sections.xattrs.slice(0, -4));
});

Deno.test("twenty million sets without an attribute are refused, not collected", async () => {
  await refusesTampered(/^xattrs\[\d+\] number of attributes$/, (sections) => {
    sections.xattrs = new Uint8Array(sections.xattrs.length + 80_000_000);
  });
});
