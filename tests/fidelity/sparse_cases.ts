/** Sparse files, in each of GNU tar's four ways. Source: GNU tar manual, "Storing Sparse Files". */
import { bytesOf, join, numberField, paxHeader, tarEntry } from "../tar/tar_builder.ts";
import type { Case } from "./case.ts";
import { directory } from "./entries.ts";

type Runs = readonly (readonly [offset: number, length: number])[];

/**
 * Where the data are: offset and length. The file ends in a hole. All are multiples of 512, since GNU tar pads each run
 * to that when it reads, where its manual and other readers know of no padding.
 */
const RUNS: Runs = [[0, 1024], [100_352, 4608], [299_008, 512]];
const SIZE_BYTES = 300_000;
const DATA = text(6144);
/** More runs than a GNU header has room for, so that it needs extension blocks. */
const MANY: Runs = Array.from({ length: 60 }, (_, i) => [i * 10_240, 512]);
const MANY_BYTES = 620_000;
const MANY_DATA = text(60 * 512);

/** Cases that share an image. */
export const SPARSE_CASES: readonly Case[] = [{
  name: "sparse",
  layers: (at) => [[
    directory(at),
    pax00(`${at}pax-0.0`),
    pax01(`${at}pax-0.1`),
    pax10(`${at}pax-1.0`, RUNS, DATA, SIZE_BYTES),
    pax10(`${at}pax-1.0-many`, MANY, MANY_DATA, MANY_BYTES),
    pax10(`${at}all-hole`, [], new Uint8Array(0), 1_000_000),
    pax10(`${at}no-hole`, [[0, 6144]], DATA, 6144),
  ]],
}];

/** With a type of their own, which umoci does not know. */
export const OLD_SPARSE_CASE: Case = {
  name: "sparse-old-gnu",
  layers: () => [[
    directory("./"),
    // An empty run marks the end of a file that ends in a hole.
    oldGnu("few-runs", [...RUNS, [SIZE_BYTES, 0]], DATA, SIZE_BYTES),
    oldGnu("many-runs", [...MANY, [MANY_BYTES, 0]], MANY_DATA, MANY_BYTES),
  ]],
  umociRefuses: { reason: 5, message: /unknown typeflag '\\x53'/ },
};

function oldGnu(path: string, runs: Runs, data: Uint8Array, sizeBytes: number): Uint8Array {
  const pairs = runs.map(([offset, length]) => join(numberField(offset, 12), numberField(length, 12)));
  const raw: Record<number, Uint8Array> = { 386: join(...pairs.slice(0, 4)), 483: numberField(sizeBytes, 12) };
  const extensions: Uint8Array[] = [];
  for (let first = 4; first < pairs.length; first += 21) {
    const block = new Uint8Array(512);
    block.set(join(...pairs.slice(first, first + 21)));
    if (first + 21 < pairs.length) block[504] = 1;
    extensions.push(block);
  }
  if (extensions.length > 0) raw[482] = Uint8Array.of(1);
  const header = tarEntry({ path, type: "S", format: "gnu", size: data.length, mtime: 5, raw });
  return join(header, ...extensions, padded(data));
}

function pax00(path: string): Uint8Array {
  const records: [string, string][] = [["GNU.sparse.size", `${SIZE_BYTES}`], [
    "GNU.sparse.numblocks",
    `${RUNS.length}`,
  ]];
  for (const [offset, length] of RUNS) {
    records.push(["GNU.sparse.offset", `${offset}`], ["GNU.sparse.numbytes", `${length}`]);
  }
  return join(paxHeader(records), tarEntry({ path, data: DATA, mtime: 6 }));
}

function pax01(path: string): Uint8Array {
  const records = {
    "GNU.sparse.name": path,
    "GNU.sparse.size": `${SIZE_BYTES}`,
    "GNU.sparse.numblocks": `${RUNS.length}`,
    "GNU.sparse.map": RUNS.flat().join(","),
  };
  return join(paxHeader(records), tarEntry({ path: "GNUSparseFile.1/x", data: DATA, mtime: 7 }));
}

function pax10(path: string, runs: Runs, data: Uint8Array, sizeBytes: number): Uint8Array {
  const map = padded(bytesOf(`${[runs.length, ...runs.flat()].join("\n")}\n`));
  const records = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": path,
    "GNU.sparse.realsize": `${sizeBytes}`,
  };
  return join(paxHeader(records), tarEntry({ path: "GNUSparseFile.2/x", data: join(map, data), mtime: 8 }));
}

function padded(data: Uint8Array): Uint8Array {
  return join(data, new Uint8Array(-data.length & 511));
}

function text(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => 33 + (i * 7 + (i >> 9)) % 90);
}
