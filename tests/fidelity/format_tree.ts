/** A tree of files of many kinds, to be compressed in every format. */
import { SeededRandom } from "../codec/seeded_random.ts";
import { programLike } from "../indexer/memory_image.ts";
import { endOfArchive, join } from "../tar/tar_builder.ts";
import { directory, file } from "./entries.ts";

/** Files by path, the tar of them, and where its entries begin. */
export interface FormatTree {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly plain: Uint8Array;
  readonly entries: readonly number[];
}

/** How many of the files are small: the first. */
export const SMALL_FILES = 40;

/** The tree, below `folder` (empty, or beginning with a slash). */
export function makeFormatTree(folder = ""): FormatTree {
  const random = new SeededRandom(41);
  const files = new Map<string, Uint8Array>();
  for (let i = 0; i < SMALL_FILES; i++) files.set(`${folder}/small/${i}`, programLike(random.below(6000), random));
  files.set(`${folder}/program`, programLike(1_500_000, random));
  files.set(`${folder}/noise`, random.bytes(300_000));
  files.set(`${folder}/zeros`, new Uint8Array(1_000_000));
  files.set(
    `${folder}/text`,
    new TextEncoder().encode(Array.from({ length: 60_000 }, (_, i) => `line ${i * i}\n`).join("")),
  );
  files.set(`${folder}/stargz.index.json`, new TextEncoder().encode("{}"));
  const parts = [
    directory(`${folder}/small/`.slice(1)),
    ...[...files].map(([path, data]) => file(path.slice(1), data)),
    endOfArchive(),
  ];
  const entries: number[] = [];
  parts.reduce((at, part) => (entries.push(at), at + part.length), 0);
  return { files, plain: join(...parts), entries };
}
