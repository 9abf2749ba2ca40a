/** A world for commands to run in, and an image for them to work on. */
import assert from "node:assert/strict";
import { BrokenPipeError, type Io } from "../../src/cli/io.ts";
import { run } from "../../src/cli/run.ts";
import { LockableFile } from "../../src/cache/lockable_file.ts";
import { gzipLayer, type MemoryLayer, tarLayer } from "../indexer/memory_image.ts";
import { LayoutWriter } from "../oci/make_layout.ts";
import { sha256 } from "../../src/base/mod.ts";
import { paxHeader } from "../tar/tar_builder.ts";

// The cache's C library, opened here and for good: one that is opened during a test counts as a leak of it.
const opened = Deno.makeTempFileSync({ prefix: "clip-cli-" });
new LockableFile(opened, { create: false }).close();
Deno.removeSync(opened);

/** Keeps what is written. */
export class FakeIo implements Io {
  readonly chunks: Uint8Array[] = [];
  err_ = "";
  readonly stop = new AbortController();
  readonly signal = this.stop.signal;
  terminal: { readonly columns: number } | undefined;
  isOutTerminal = false;
  variables: Record<string, string> = {};
  /** What can be read from standard input. */
  input = "";
  readonly readInput = () => Promise.resolve(this.input);
  /** Standard output is closed by its reader after so many writes. */
  writesBeforeClosed = Infinity;
  /** Called at each write to standard error. */
  onErr: (text: string) => void = () => {};

  out(data: string | Uint8Array): void {
    if (this.chunks.length >= this.writesBeforeClosed) throw new BrokenPipeError();
    this.chunks.push(typeof data === "string" ? new TextEncoder().encode(data) : data.slice());
  }

  // deno-lint-ignore require-await -- a failure is a rejection
  async stream(data: Uint8Array): Promise<void> {
    this.out(data);
  }

  err(text: string): void {
    this.err_ += text;
    this.onErr(text);
  }

  env(name: string): string | undefined {
    return this.variables[name];
  }

  get bytes(): Uint8Array {
    const bytes = new Uint8Array(this.chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }
}

/** What a run of `clip` left behind. */
export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Uint8Array;
}

/** Runs `clip` with `args` in a world that `prepare` has changed. */
export async function clip(args: readonly string[], prepare: (io: FakeIo) => void = () => {}): Promise<Outcome> {
  const io = new FakeIo();
  prepare(io);
  const status = await run(args, io);
  return { status, out: io.text, err: io.err_, bytes: io.bytes };
}

/** Runs `clip`, which must succeed and have nothing to complain of; what it wrote to standard output. */
export async function succeed(args: readonly string[], prepare?: (io: FakeIo) => void): Promise<string> {
  const { status, out, err } = await clip(args, prepare);
  assert.equal(err, "");
  assert.equal(status, 0);
  return out;
}

/** Runs `clip`, which must fail with one or two lines and no stack; the lines. */
export async function fail(
  args: readonly string[],
  status: number,
  prepare?: (io: FakeIo) => void,
): Promise<string> {
  const outcome = await clip(args, prepare);
  assert.equal(outcome.status, status, outcome.err);
  assert.match(outcome.err, /^clip: [^\n]+\n(clip: [^\n]+\n)?$/);
  assert(!/\n\s+at /.test(outcome.err), "no stack");
  return outcome.err;
}

/** The layers of the image that the commands are tried on. */
export function sampleLayers(): MemoryLayer[] {
  return [
    gzipLayer(
      { path: "./", type: "5", mode: 0o755, mtime: 1_000_000_000 },
      { path: "bin/", type: "5", mode: 0o755, mtime: 1_000_000_000 },
      { path: "bin/tool", mode: 0o4755, data: "#!/bin/sh\necho tool\n", mtime: 1_600_000_000 },
      { path: "bin/alias", type: "1", linkName: "bin/tool" },
      { path: "etc/passwd", data: "root:x:0:0\n", uid: 1000, gid: 100, mode: 0o640, mtime: -1 },
      { path: "etc/gone", data: "hidden" },
      { path: "etc/group", data: "root:x:0:\n" },
    ),
    tarLayer(
      { path: "dev/null", type: "3", major: 1, minor: 3, mode: 0o666 },
      { path: "etc/.wh.gone" },
      { path: "link", type: "2", linkName: "etc/passwd" },
      { path: "tmp", type: "5", mode: 0o1777 },
      { path: "tmp/bad\x1b[31m\nname\xff", data: "" },
      paxHeader({ "SCHILY.xattr.user.note": "hi", mtime: "1600000000.5" }),
      { path: "tmp/tagged", data: "x" },
      { path: "tmp/pipe", type: "6" },
    ),
  ];
}

/** Writes an OCI layout with one image, tag `v1`; its reference is `oci:PATH:v1`. */
export function writeLayout(path: string, layers: readonly MemoryLayer[] = sampleLayers()): LayoutWriter {
  const layout = new LayoutWriter(path);
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = layout.addJson({
    schemaVersion: 2,
    mediaType,
    config: layout.addJson({
      os: "linux",
      architecture: "amd64",
      config: { Cmd: ["sh"] },
      rootfs: { type: "layers", diff_ids: layers.map(({ plain }) => sha256(plain)) },
    }, "application/vnd.oci.image.config.v1+json"),
    layers: layers.map((layer) => layout.addBlob(layer.blob, layer.mediaType)),
  }, mediaType);
  layout.addEntry(manifest, "v1");
  return layout;
}

/** A folder with a layout, `layout`, and its archive, `image.clip`. */
export interface Workplace {
  readonly folder: string;
  readonly archive: string;
  readonly image: string;
  readonly layout: LayoutWriter;
}

/** Runs `work` in a folder of its own, where the sample has been indexed. */
export async function inWorkplace(
  work: (place: Workplace) => Promise<void>,
  layers: readonly MemoryLayer[] = sampleLayers(),
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-cli-" });
  try {
    const layout = writeLayout(`${folder}/layout`, layers);
    const image = `oci:${folder}/layout:v1`;
    const archive = `${folder}/image.clip`;
    await succeed(["index", image, "-o", archive, "--progress", "none", "--platform", "linux/amd64"]);
    await work({ folder, archive, image, layout });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
