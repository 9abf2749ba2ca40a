import { S_IFREG } from "../src/archive/mod.ts";
import type { Archive } from "../src/archive/mod.ts";
import { SeededRandom } from "../tests/codec/seeded_random.ts";
import { makeBenchImage } from "./bench_image.ts";
import { BenchMount, dropPageCache, indexFromRegistry, openBenchArchive, timeShell } from "./bench_mount.ts";
import { BenchRegistry } from "./bench_registry.ts";
import { type CorpusLayer, corpusLayer } from "./corpus.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";
import { isInstalled, runShell } from "./run_shell.ts";
import { Skipped } from "./skipped.ts";
import { type TimedPlace, timeReads } from "./read_places_main.ts";
import { median } from "./statistics.ts";

const SMALL_FILES = 5000;
const SMALL_FILE_MAX_BYTES = 16 * 1024;

/** What is done to a mount, by name; each but the reads is a shell script with the mountpoint as $1. */
const TASKS: Readonly<Record<string, string>> = {
  "read all large files":
    `find "$1" -xdev -type f -size +1M -print0 | xargs -0 -n1 -I{} dd if={} of=/dev/null bs=1M status=none`,
  "find -size +0": `find "$1" -xdev -type f -size +0 > /dev/null`,
  "ls -lR": `ls -lR "$1" > /dev/null`,
};
const SMALL_READS = "open, read, close small files";

/** One task on one file system, the kernel's caches empty before it, the file system's own files local. */
export interface WarmRow {
  readonly task: string;
  readonly fileSystem: "clip" | "squashfuse";
  readonly ms: number;
  readonly runsMs: readonly number[];
}

/** The same tree by clip, its cache full, and by squashfuse, in turn. */
export async function measureWarmPart({ folder, maxBytes, rounds, say }: ReportOptions): Promise<WarmRow[]> {
  const squashfuse = await isInstalled("squashfuse_ll") ? "squashfuse_ll" : "squashfuse";
  for (const program of [squashfuse, "mksquashfs"]) {
    if (!await isInstalled(program)) throw new Skipped(`${program} is not installed`);
  }
  const registry = await BenchRegistry.start();
  try {
    const layer = await corpusLayer({ content: "image", compressor: "gzip -6", maxBytes });
    await registry.push(await makeBenchImage(`${folder}/image`, [layer]), "image");
    const clip = `${folder}/image.clip`;
    await indexFromRegistry(registry.host, "image", clip);
    const squashed = await squashedLayer(layer);
    const mountpoint = `${folder}/mnt`;
    await Deno.mkdir(mountpoint);
    const source = `${registry.host}/bench/image:v1`;
    const openClip = async () => {
      const mount = await BenchMount.open(clip, mountpoint, { source, cacheDir: `${folder}/cache` });
      return () => mount.close();
    };
    const openSquash = async () => {
      await runShell(`"$1" "$2" "$3"`, [squashfuse, squashed, mountpoint]);
      return async () => void await runShell(`umount "$1"`, [mountpoint]);
    };
    // All of it is local from now on.
    const fill = await openClip();
    await runShell(`tar -cf - -C "$1" . | cat > /dev/null`, [mountpoint]);
    await fill();
    const places = chooseSmallFiles(await openBenchArchive(clip), mountpoint);
    const rows: WarmRow[] = [];
    for (const task of [...Object.keys(TASKS), SMALL_READS]) {
      const runs = { clip: [] as number[], squashfuse: [] as number[] };
      for (let run = 0; run < rounds; run++) {
        for (const [name, open] of [["clip", openClip], ["squashfuse", openSquash]] as const) {
          const close = await open();
          try {
            await dropPageCache();
            const script = TASKS[task];
            const ms = script === undefined
              ? (await timeReads(places, folder)).reduce((sum, each) => sum + each, 0)
              : await timeShell(script, [mountpoint]);
            runs[name].push(round(ms, 0));
          } finally {
            await close();
          }
        }
      }
      for (const fileSystem of ["clip", "squashfuse"] as const) {
        rows.push({ task, fileSystem, ms: median(runs[fileSystem]), runsMs: runs[fileSystem] });
      }
      say(`  ${task}: clip ${median(runs.clip)} ms, ${squashfuse} ${median(runs.squashfuse)} ms`);
    }
    return rows;
  } finally {
    await registry.stop();
  }
}

/** The layer's tree as mksquashfs packs it by default, kept beside the layer. */
async function squashedLayer({ path }: CorpusLayer): Promise<string> {
  const squashed = `${path}.squashfs`;
  const script = `[ -e "$2" ] && exit; mkdir "$2.tree" && tar -xpf "$1" -C "$2.tree" &&
    mksquashfs "$2.tree" "$2.new" -quiet -no-progress && rm -rf "$2.tree" && mv "$2.new" "$2"`;
  await runShell(script, [path, squashed]);
  return squashed;
}

function chooseSmallFiles({ tree }: Archive, directory: string): TimedPlace[] {
  const random = new SeededRandom(5);
  const places: TimedPlace[] = [];
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    const lengthBytes = tree.type(inode) === S_IFREG ? tree.sizeBytes(inode) : 0;
    if (lengthBytes === 0 || lengthBytes > SMALL_FILE_MAX_BYTES) continue;
    const path = tree.path(inode);
    // Names are bytes; those that are ASCII are the same as text.
    if (/[^\x20-\x7e]/.test(path)) continue;
    places.push({ path: `${directory}${path}`, offset: 0, lengthBytes });
  }
  for (let at = places.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [places[at], places[other]] = [places[other]!, places[at]!];
  }
  return places.slice(0, SMALL_FILES);
}
