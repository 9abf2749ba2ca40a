/**
 * `deno task demo`: makes an image of files of this machine, indexes it, mounts it, reads some files and compares them
 * with what went in, and tells what that took. Where FUSE is missing it says so and reads by `clip cat` instead.
 */
import { createHash } from "node:crypto";
import { formatBytes, formatDuration } from "../src/base/mod.ts";
import { type DemoImage, makeDemoImage } from "./demo_image.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

/** Runs clip as a user would, showing the command and what it says; its standard output is returned. */
async function clip(args: string[], { quiet = false } = {}): Promise<Uint8Array<ArrayBuffer>> {
  if (!quiet) say(`\n$ clip ${args.join(" ")}`);
  const started = performance.now();
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", MAIN, ...args],
    stderr: "inherit",
  });
  const { success, stdout } = await command.output();
  if (!success) throw new Error(`clip ${args[0]} failed`);
  if (!quiet) {
    say(new TextDecoder().decode(stdout).trimEnd());
    say(`  (${formatDuration(performance.now() - started)}, starting the program included)`);
  }
  return stdout;
}

function fuseIsThere(): boolean {
  try {
    Deno.openSync("/dev/fuse", { read: true, write: true }).close();
    return true;
  } catch (error) {
    say(`\nFUSE cannot be used here (${(error as Error).message}): reading by \`clip cat\` instead of a mount.`);
    return false;
  }
}

function check(path: string, bytes: Uint8Array, expected: string): void {
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (actual !== expected) throw new Error(`${path} differs from its source: sha256 ${actual}, expected ${expected}`);
}

/** A dozen files from all over the image. */
function sample(digests: ReadonlyMap<string, string>): [string, string][] {
  const all = [...digests];
  const step = Math.max(1, Math.floor(all.length / 12));
  return all.filter((_, i) => i % step === 0);
}

async function readThroughMount(work: string, image: DemoImage): Promise<void> {
  const root = `${work}/root`;
  const log = `${work}/mount.log`;
  await Deno.mkdir(root);
  const logging = ["--log-level", "info", "--log-json", "--log-file", log];
  await clip(["mount", "--daemon", "--cache-dir", `${work}/cache`, ...logging, `${work}/demo.clip`, root]);
  try {
    say(`\nls ${root}/app: ${[...Deno.readDirSync(`${root}/app`)].map((entry) => entry.name).join(" ")}`);
    const started = performance.now();
    const files = sample(image.digests);
    for (const [path, expected] of files) check(path, await Deno.readFile(`${root}${path}`), expected);
    say(`read ${files.length} files in ${formatDuration(performance.now() - started)}: all as in their source`);
    readPiece(root, image);
  } finally {
    await clip(["unmount", root]);
  }
  const { fetchedBytes, requests, decodedBytes, decodedSpans } = await lastLogLine(log);
  say(
    `fetched  ${formatBytes(fetchedBytes!)} of ${formatBytes(image.compressedBytes)} of layers, in ${requests} ranges`,
  );
  say(`inflated ${formatBytes(decodedBytes!)} in ${decodedSpans} spans, each checked against its digest`);
  say(`cached   ${formatBytes(decodedBytes!)} for every later reader on this machine`);
}

/** 4 KiB from the middle of the large file. */
function readPiece(root: string, { large }: DemoImage): void {
  const offset = large.bytes.length / 2;
  const piece = new Uint8Array(4096);
  const started = performance.now();
  const file = Deno.openSync(`${root}${large.path}`);
  file.seekSync(offset, Deno.SeekMode.Start);
  file.readSync(piece);
  file.close();
  if (piece.some((byte, i) => byte !== large.bytes[offset + i])) {
    throw new Error(`${large.path} differs from its source`);
  }
  const size = formatBytes(large.bytes.length);
  say(
    `read 4 KiB from the middle of a file of ${size} in ${
      formatDuration(performance.now() - started)
    }: as in its source`,
  );
}

/** The counters that the server logs when it ends, which it does a moment after the mount is gone. */
async function lastLogLine(path: string): Promise<Record<string, number>> {
  for (let i = 0; i < 100; i++) {
    const line = (await Deno.readTextFile(path)).trim().split("\n").findLast((text) => text.includes('"unmounted"'));
    if (line !== undefined) return JSON.parse(line);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the server did not end");
}

async function readByCat(work: string, { digests }: DemoImage): Promise<void> {
  const cacheDir = ["--cache-dir", `${work}/cache`];
  const files = sample(digests);
  for (const [path, expected] of files) {
    check(path, await clip(["cat", ...cacheDir, `${work}/demo.clip`, path], { quiet: true }), expected);
  }
  say(`\nread ${files.length} files by clip cat: all as in their source`);
}

const work = await Deno.makeTempDir({ prefix: "clip-demo-" });
try {
  say("making an image from files of this machine…");
  const image = await makeDemoImage(`${work}/image`);
  say(`${image.digests.size} files, ${formatBytes(image.compressedBytes)} compressed, an OCI layout in ${work}/image`);
  await clip(["index", "--index-cache", "none", image.reference, "-o", `${work}/demo.clip`]);
  await clip(["ls", "-l", `${work}/demo.clip`, "/app"]);
  if (fuseIsThere()) await readThroughMount(work, image);
  else await readByCat(work, image);
  say("\nThe same with an image of yours: clip index ubuntu:24.04 -o ubuntu.clip && clip mount ubuntu.clip /mnt");
} finally {
  await Deno.remove(work, { recursive: true });
}
