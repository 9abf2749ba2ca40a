/**
 * Layers to measure on, made once and kept in the system's folder for temporary files: each of CONTENTS, compressed by
 * each of COMPRESSORS that is installed.
 */
import { tmpdir } from "node:os";
import { type Digest, Digester, MIB } from "../src/base/mod.ts";
import { CONTENTS } from "./corpus_contents.ts";
import { isInstalled, runShell } from "./run_shell.ts";
import { Skipped } from "./skipped.ts";

/** A layer in a file. */
export interface CorpusLayer {
  readonly content: string;
  readonly compressor: string;
  readonly path: string;
  readonly digest: Digest;
  readonly compressedBytes: number;
  readonly diffId: Digest;
  readonly plainBytes: number;
}

const GO_SOURCE = `package main

import (
	"compress/gzip"
	"io"
	"os"
)

func main() {
	writer := gzip.NewWriter(os.Stdout)
	if _, err := io.Copy(writer, os.Stdin); err != nil {
		panic(err)
	}
	if err := writer.Close(); err != nil {
		panic(err)
	}
}
`;

/** By name: the program it takes, and a script that compresses file $1 to file $2; $3 is a Go source. */
export const COMPRESSORS: Readonly<Record<string, { program: string; script: string }>> = {
  "gzip -6": { program: "gzip", script: `gzip -6 -n -c "$1" > "$2"` },
  "gzip -1": { program: "gzip", script: `gzip -1 -n -c "$1" > "$2"` },
  "pigz": { program: "pigz", script: `pigz -n -c "$1" > "$2"` },
  "Go": { program: "go", script: `go run "$3" < "$1" > "$2"` },
  "igzip -0": { program: "igzip", script: `igzip -0 -c "$1" > "$2"` },
  "igzip -1": { program: "igzip", script: `igzip -1 -c "$1" > "$2"` },
};

/** Where layers are kept. */
export const CORPUS_FOLDER: string = Deno.env.get("CLIP_BENCH_CORPUS") ?? `${tmpdir()}/clip-bench-corpus`;

/** What a layer is made of, and how long it is at most before compression. */
export interface LayerWish {
  readonly content: string;
  readonly compressor: string;
  readonly maxBytes: number;
}

/** The layer, made if it is not there yet. @throws {Skipped} where this machine cannot make it. */
export async function corpusLayer({ content, compressor, maxBytes }: LayerWish): Promise<CorpusLayer> {
  await Deno.mkdir(CORPUS_FOLDER, { recursive: true });
  const plain = await plainTar(content, maxBytes);
  const path = `${plain.path}.${compressor.replace(/ /g, "")}.gz`;
  const note = `${path}.json`;
  const known = await readNote<{ digest: Digest; compressedBytes: number }>(note, path);
  if (known !== undefined) {
    return { content, compressor, path, ...known, diffId: plain.digest, plainBytes: plain.sizeBytes };
  }
  const { program, script } = COMPRESSORS[compressor]!;
  if (!await isInstalled(program)) throw new Skipped(`${program} is not installed`);
  const goSource = `${CORPUS_FOLDER}/compress.go`;
  if (program === "go") await Deno.writeTextFile(goSource, GO_SOURCE);
  await runShell(script, [plain.path, path, goSource]);
  const { digest, sizeBytes: compressedBytes } = await digestFile(path);
  await Deno.writeTextFile(note, JSON.stringify({ digest, compressedBytes }));
  return { content, compressor, path, digest, compressedBytes, diffId: plain.digest, plainBytes: plain.sizeBytes };
}

/** The same for several, without those that cannot be made; `onSkip` is told why. */
export async function corpusLayers(
  wishes: readonly LayerWish[],
  onSkip: (line: string) => void,
): Promise<CorpusLayer[]> {
  const layers: CorpusLayer[] = [];
  for (const wish of wishes) {
    try {
      layers.push(await corpusLayer(wish));
    } catch (error) {
      if (!(error instanceof Skipped)) throw error;
      onSkip(`skipped: ${wish.content}, ${wish.compressor}: ${error.message}`);
    }
  }
  return layers;
}

async function plainTar(
  content: string,
  maxBytes: number,
): Promise<{ path: string; digest: Digest; sizeBytes: number }> {
  const path = `${CORPUS_FOLDER}/${content}-${Math.round(maxBytes / MIB)}.tar`;
  const note = `${path}.json`;
  const known = await readNote<{ digest: Digest; sizeBytes: number }>(note, path);
  if (known !== undefined) return { path, ...known };
  await CONTENTS[content]!.make(path, maxBytes);
  const made = await digestFile(path);
  await Deno.writeTextFile(note, JSON.stringify(made));
  return { path, ...made };
}

/** What is noted of a file that is there. */
async function readNote<Note>(note: string, path: string): Promise<Note | undefined> {
  try {
    await Deno.stat(path);
    return JSON.parse(await Deno.readTextFile(note));
  } catch {
    return undefined;
  }
}

async function digestFile(path: string): Promise<{ digest: Digest; sizeBytes: number }> {
  const digester = new Digester();
  let sizeBytes = 0;
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1 << 20);
  for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
    digester.update(buffer.subarray(0, count));
    sizeBytes += count;
  }
  return { digest: digester.digest(), sizeBytes };
}
