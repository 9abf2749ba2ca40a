import { type Archive, S_IFREG, SPARSE_LAYER } from "../../archive/mod.ts";

/** What of each layer's plain bytes the archive's profile names. */
export class TouchedBytes {
  /** By layer: where ranges begin, ascending and apart; where they end; how many bytes lie before each. */
  readonly #starts: number[][];
  readonly #ends: number[][];
  readonly #before: number[][];

  /** Joins the profile's ranges. */
  constructor({ profile, layers }: Pick<Archive, "profile" | "layers">) {
    const ranges = Array.from({ length: layers.layerCount }, () => [] as [number, number][]);
    for (const { layer, plainOffset, plainEndExclusive } of profile) {
      ranges[layer]!.push([plainOffset, plainEndExclusive]);
    }
    const joined = ranges.map(join);
    this.#starts = joined.map((own) => own.map(([start]) => start));
    this.#ends = joined.map((own) => own.map(([, end]) => end));
    this.#before = joined.map((own) => {
      let sum = 0;
      return own.map(([start, end]) => (sum += end - start) - (end - start));
    });
  }

  /** How many of the bytes [start, endExclusive) of a layer. */
  of(layer: number, start: number, endExclusive: number): number {
    return this.#upTo(layer, endExclusive) - this.#upTo(layer, start);
  }

  #upTo(layer: number, offset: number): number {
    const starts = this.#starts[layer]!;
    let low = 0;
    for (let high = starts.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return 0;
    const last = low - 1;
    return this.#before[layer]![last]! + Math.min(offset, this.#ends[layer]![last]!) - starts[last]!;
  }

  /** How many of a file's bytes. */
  ofFile({ tree }: Pick<Archive, "tree">, inode: number): number {
    if (tree.type(inode) !== S_IFREG) return 0;
    const layer = tree.columns.layer[inode]!;
    const parts = layer === SPARSE_LAYER
      ? tree.extents(inode)
      : [{ layer, plainOffset: tree.plainOffset(inode), lengthBytes: tree.sizeBytes(inode) }];
    return parts.reduce((sum, { layer, plainOffset, lengthBytes }) => {
      return lengthBytes === 0 ? sum : sum + this.of(layer, plainOffset, plainOffset + lengthBytes);
    }, 0);
  }
}

function join(ranges: [number, number][]): [number, number][] {
  const joined: [number, number][] = [];
  for (const [start, end] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else joined.push([start, end]);
  }
  return joined;
}
