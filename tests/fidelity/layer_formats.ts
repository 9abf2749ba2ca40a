/** One layer in every format that layers have, by the programs that write them, or by hand where none is at hand. */
import { deflateRawSync, gzipSync } from "node:zlib";
import { gzipMember } from "../codec/deflate_writer.ts";
import { skippable } from "../codec/zstd/streams.ts";
import { type ProgramOptions, runProgram } from "../e2e/programs.ts";
import { bytesOf, join } from "../tar/tar_builder.ts";

/** A way to compress a layer. */
export interface LayerFormat {
  readonly name: string;
  /** The end of the media type: empty, `+gzip` or `+zstd`. */
  readonly suffix: "" | "+gzip" | "+zstd";
  /** `entries`: where each entry of the tar begins, in plain bytes, ascending, the first 0. */
  readonly compress: (plain: Uint8Array, entries: readonly number[]) => Uint8Array | Promise<Uint8Array>;
}

/** Programs that the formats need. */
export const FORMAT_NEEDS = ["gzip", "pigz", "igzip", "zstd", "pzstd"] as const;

const BY_PROGRAMS: Readonly<Record<LayerFormat["suffix"], readonly string[]>> = {
  "": [],
  "+gzip": [
    "gzip -1",
    "gzip -9",
    "gzip -6 --rsyncable",
    "pigz -6 -p 2 -b 128",
    "pigz -6 -p 2 -b 128 -i",
    "igzip -0",
    "igzip -1",
    "igzip -3",
  ],
  "+zstd": [
    "zstd -q -1",
    "zstd -q -3",
    "zstd -q -3 --no-check",
    "zstd -q -19",
    "zstd -q -3 --long=27",
    "pzstd -q -p 2 -3",
  ],
};

/** All formats. */
export const LAYER_FORMATS: readonly LayerFormat[] = [
  { name: "tar", suffix: "", compress: (plain) => plain },
  ...(["+gzip", "+zstd"] as const).flatMap((suffix) =>
    BY_PROGRAMS[suffix].map((command) => ({
      name: command,
      suffix,
      compress: (plain: Uint8Array) => filter([...command.split(" "), "-c"], plain),
    }))
  ),
  { name: "gzip, stored", suffix: "+gzip", compress: (plain) => gzipSync(plain, { level: 0 }) },
  {
    name: "gzip, members of 100,000 bytes, zeros behind",
    suffix: "+gzip",
    compress: (plain) => join(...pieces(plain, 100_000).map((part) => gzipSync(part)), new Uint8Array(1000)),
  },
  { name: "gzip, every header field", suffix: "+gzip", compress: withHeaderFields },
  { name: "gzip, blocked (BGZF)", suffix: "+gzip", compress: blocked },
  { name: "eStargz", suffix: "+gzip", compress: eStargz },
  {
    name: "zstd, frames of 100,000 bytes",
    suffix: "+zstd",
    compress: async (plain) => join(...await zstdFrames(pieces(plain, 100_000))),
  },
  { name: "zstd, seekable", suffix: "+zstd", compress: seekable },
  { name: "zstd:chunked", suffix: "+zstd", compress: chunked },
];

/** Runs a program as a filter. */
async function filter(command: readonly string[], input: Uint8Array): Promise<Uint8Array> {
  const options: ProgramOptions = { stdin: input };
  const { code, stdoutBytes, stderr } = await runProgram(command, options);
  if (code !== 0) throw new Error(`${command.join(" ")}: status ${code}: ${stderr}`);
  return stdoutBytes;
}

function pieces(plain: Uint8Array, length: number): Uint8Array[] {
  return Array.from(
    { length: Math.ceil(plain.length / length) },
    (_, i) => plain.subarray(i * length, (i + 1) * length),
  );
}

function withHeaderFields(plain: Uint8Array): Uint8Array {
  const extra = bytesOf("XX\x05\x00extra");
  const header = { extra, name: "layer.tar", comment: "made by hand", headerCrc: true, text: true };
  return gzipMember(deflateRawSync(plain), plain, header);
}

/** Members of 64 KiB at most, each with its own length in an extra field. Source: SAM specification, section 4.1. */
function blocked(plain: Uint8Array): Uint8Array {
  const members = [...pieces(plain, 0xff00), new Uint8Array(0)].map((part) => {
    const deflated = deflateRawSync(part);
    const extra = new Uint8Array([0x42, 0x43, 2, 0, 0, 0]);
    new DataView(extra.buffer).setUint16(4, deflated.length + 25, true);
    return gzipMember(deflated, part, { extra });
  });
  return join(...members);
}

/**
 * A member for each entry, and for each 400,000 bytes of a large file; last an empty member whose extra field says where
 * the table of contents begins. Source: containerd/stargz-snapshotter, docs/estargz.md.
 */
function eStargz(plain: Uint8Array, entries: readonly number[]): Uint8Array {
  // The last entry is the table of contents, in one member with the archive's end.
  const starts = entries.slice(0, -1);
  const members = starts.flatMap((start, i) => pieces(plain.subarray(start, starts[i + 1] ?? plain.length), 400_000));
  const compressed = members.map((part) => gzipSync(part, { level: 9 }));
  const tableOffset = compressed.slice(0, -1).reduce((bytes, { length }) => bytes + length, 0);
  const extra = bytesOf(`SG\x16\x00${tableOffset.toString(16).padStart(16, "0")}STARGZ`);
  return join(...compressed, gzipMember(bytesOf("\x01\x00\x00\xff\xff"), new Uint8Array(0), { extra }));
}

/** A frame of each part. */
function zstdFrames(parts: readonly Uint8Array[]): Promise<Uint8Array[]> {
  return Promise.all(parts.map((part) => filter(["zstd", "-q", "-3", "-c"], part)));
}

/** Frames, and behind them a table of their lengths in a frame to be skipped. Source: zstd's contrib/seekable_format. */
async function seekable(plain: Uint8Array): Promise<Uint8Array> {
  const parts = pieces(plain, 200_000);
  const frames = await zstdFrames(parts);
  const table = new DataView(new ArrayBuffer(parts.length * 8 + 9));
  parts.forEach((part, i) => {
    table.setUint32(i * 8, frames[i]!.length, true);
    table.setUint32(i * 8 + 4, part.length, true);
  });
  table.setUint32(parts.length * 8, parts.length, true);
  table.setUint32(parts.length * 8 + 5, 0x8f92eab1, true);
  return join(...frames, skippable(new Uint8Array(table.buffer), 0xe));
}

/**
 * A frame for each entry, then the table of contents and the footer in frames to be skipped.
 * Source: containers/storage, pkg/chunked.
 */
async function chunked(plain: Uint8Array, entries: readonly number[]): Promise<Uint8Array> {
  const parts = entries.map((start, i) => plain.subarray(start, entries[i + 1] ?? plain.length));
  const manifest = await filter(["zstd", "-q", "-c"], bytesOf(JSON.stringify({ version: 1, entries: [] })));
  const footer = new Uint8Array(64);
  footer.set(bytesOf("GNUlInUx"), 56);
  return join(...await zstdFrames(parts), skippable(manifest), skippable(footer));
}
