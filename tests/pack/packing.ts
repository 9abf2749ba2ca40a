/** Packs small trees in memory. */
import { openArchive } from "../../src/archive/mod.ts";
import type { Archive } from "../../src/archive/mod.ts";
import { replaceFileAtomically } from "../../src/base/mod.ts";
import { type Compression, packDirectory } from "../../src/pack/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";

/** How a test packs. */
export interface PackingOptions {
  readonly compression?: Compression;
  readonly oneFileSystem?: boolean;
  readonly signal?: AbortSignal;
}

/** The archive of a directory. */
export async function pack(directory: string, options: PackingOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const output = await Deno.makeTempFile({ prefix: "clip-packing-" });
  try {
    await replaceFileAtomically(output, (file) =>
      packDirectory(directory, file, {
        compression: { codec: "gzip", level: 1 },
        oneFileSystem: false,
        signal: new AbortController().signal,
        ...options,
      }));
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(output);
  }
}

/** Opens the bytes of an archive. */
export function opened(bytes: Uint8Array): Promise<Archive> {
  return openArchive(memoryRangeSource(bytes, "some.clip"));
}
