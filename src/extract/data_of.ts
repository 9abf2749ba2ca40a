import { type Extent, SPARSE_LAYER, type Tree } from "../archive/mod.ts";

/** The runs of data of a file, ascending; what they leave out is holes. */
export function* dataOf(tree: Tree, inode: number): Generator<Extent> {
  const { layer, placeLow, placeHigh } = tree.columns;
  if (layer[inode] !== SPARSE_LAYER) {
    const lengthBytes = tree.sizeBytes(inode);
    if (lengthBytes > 0) {
      yield { fileOffset: 0, layer: layer[inode]!, plainOffset: tree.plainOffset(inode), lengthBytes };
    }
    return;
  }
  const end = placeLow[inode]! + placeHigh[inode]!;
  for (let index = placeLow[inode]!; index < end; index++) yield tree.extent(index);
}

/** How many bytes they are. */
export function dataBytes(tree: Tree, inode: number): number {
  if (tree.columns.layer[inode] !== SPARSE_LAYER) return tree.sizeBytes(inode);
  let bytes = 0;
  for (const { lengthBytes } of dataOf(tree, inode)) bytes += lengthBytes;
  return bytes;
}
