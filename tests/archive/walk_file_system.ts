/** Does to an archive what the kernel could ask of its mount. */
import assert from "node:assert/strict";
import type { Archive } from "../../src/archive/mod.ts";
import { LocalReaders } from "../../src/base/mod.ts";
import { type FileSystemStatistics, type NodeAttributes, READ_DEFERRED } from "../../src/fuse/mod.ts";
import { ArchiveFileSystem } from "../../src/mount/mod.ts";

/** As much as one reply holds. */
const ROOM_BYTES = 1 << 17;

/**
 * Asks the file system of an archive that has been accepted everything about every inode, the numbers beside them too.
 * Nothing is at hand, so that every read of data must be deferred. @throws where anything is thrown or out of its bounds.
 */
export function walkFileSystem(archive: Archive): void {
  const { tree, layers } = archive;
  const fileSystem = new ArchiveFileSystem(tree, {
    firstSpan: layers.firstSpan,
    spanOffsets: layers.spanOffsets,
    readers: new LocalReaders(layers.firstSpan[layers.layerCount]!),
    onTouched: () => assert.fail("nothing is to be told of"),
    read: () => assert.fail("nothing is at hand"),
  });
  const target = new Uint8Array(ROOM_BYTES + 1);
  const filled = (count: number) => assert(count <= ROOM_BYTES && target[ROOM_BYTES] === 0, `${count} bytes`);
  fileSystem.statistics({} as FileSystemStatistics);
  for (const inode of [0, ...tree.columns.mode.keys(), tree.inodeCount + 1, 2 ** 32 - 1]) {
    const attributes = {} as NodeAttributes;
    if (fileSystem.attributes(inode, attributes) === 0) {
      for (const value of Object.values(attributes)) assert(Number.isSafeInteger(value), JSON.stringify(attributes));
    }
    filled(fileSystem.readLink(inode, target, 0));
    filled(fileSystem.listXattrs(inode, target, 0, ROOM_BYTES));
    filled(fileSystem.getXattr(inode, target, 0, 20, target, 100, 200));
    fileSystem.parent(inode);
    const children = fileSystem.childCount(inode);
    for (let index = 0; index < children; index++) {
      const length = fileSystem.childName(inode, index, target, 0);
      assert(length >= 1 && length <= 255);
      assert.equal(fileSystem.lookup(inode, target, 0, length), fileSystem.childInode(inode, index));
    }
    fileSystem.lookup(inode, target, 0, 3);
    for (const offset of [0, 1, (attributes.sizeBytes ?? 0) - 1, 2 ** 52]) {
      if (offset < 0) continue;
      const read = fileSystem.read(inode, offset, 4096, target, 0);
      assert(read === READ_DEFERRED || read <= 0, `${read} bytes out of nothing`);
    }
  }
}
