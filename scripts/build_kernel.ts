/**
 * Compiles the decoders in AssemblyScript, src/codec/*\/kernel/assembly, to a module of base64 beside each.
 *
 *     deno run -A scripts/build_kernel.ts           writes the files
 *     deno run -A scripts/build_kernel.ts --check   fails unless the files are what would be written
 *
 * The compiler is pinned in deno.json and deterministic: the same sources give the same bytes.
 */
import { main as compile, version } from "assemblyscript/asc";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

/** What there is to compile. */
interface Kernel {
  /** Of the codec. */
  readonly folder: string;
  /** The module that exports the functions, and names the file. */
  readonly entry: string;
  /** The memory may grow to so many pages of 64 KiB; undefined: not at all. */
  readonly maxPages?: number;
}

const KERNELS: readonly Kernel[] = [
  { folder: "gzip", entry: "inflate" },
  { folder: "zstd", entry: "zstd", maxPages: 8192 },
];
const LINE_CHARACTERS = 100;

function kernelUrl({ folder }: Kernel, path: string): URL {
  return new URL(`../src/codec/${folder}/kernel/${path}`, import.meta.url);
}

/** The sources by name, in order of name. */
async function readSources(kernel: Kernel): Promise<Map<string, string>> {
  const folder = kernelUrl(kernel, "assembly/");
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) if (entry.name.endsWith(".ts")) names.push(entry.name);
  names.sort();
  const sources = new Map<string, string>();
  for (const name of names) sources.set(name, await Deno.readTextFile(new URL(name, folder)));
  return sources;
}

/** The value of a constant of layout.ts that is written as a plain number. */
function constantOf(sources: Map<string, string>, name: string): string {
  const match = new RegExp(`export const ${name}: u32 = (\\d+);`).exec(sources.get("layout.ts") ?? "");
  if (match === null) throw new Error(`layout.ts has no constant ${name} that is a plain number`);
  return match[1]!;
}

async function compileSources({ entry, maxPages }: Kernel, sources: Map<string, string>): Promise<Uint8Array> {
  let wasm: Uint8Array | undefined;
  const pages = constantOf(sources, "MEMORY_PAGES");
  const options = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd"];
  const memory = ["--initialMemory", pages, "--maximumMemory", String(maxPages ?? pages)];
  const { error, stderr } = await compile(
    [`${entry}.ts`, "--outFile", `${entry}.wasm`, ...options, ...memory],
    {
      readFile: (name: string) => sources.get(name) ?? null,
      writeFile: (_name: string, contents: string | Uint8Array) => {
        if (typeof contents !== "string") wasm = contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || wasm === undefined) throw new Error(`cannot compile the kernel: ${stderr}`);
  return wasm;
}

function moduleText({ entry }: Kernel, sources: Map<string, string>, wasm: Uint8Array): string {
  const hash = createHash("sha256");
  for (const [name, text] of sources) hash.update(`${name}\0${text}\0`);
  const base64 = Buffer.from(wasm).toString("base64");
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += LINE_CHARACTERS) lines.push(base64.slice(at, at + LINE_CHARACTERS));
  return `// Made by scripts/build_kernel.ts from assembly/ with assemblyscript ${version}: not to be edited.
// sha256 of the sources: ${hash.digest("hex")}
// deno-fmt-ignore-file

/** The kernel: a WebAssembly module of ${wasm.length} bytes, in base64. */
export const ${entry.toUpperCase()}_WASM_BASE64: string = [
${lines.map((line) => `  "${line}",`).join("\n")}
].join("");
`;
}

for (const kernel of KERNELS) {
  const target = kernelUrl(kernel, `${kernel.entry}_wasm.ts`);
  const sources = await readSources(kernel);
  const text = moduleText(kernel, sources, await compileSources(kernel, sources));
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(target, text);
  else if (await Deno.readTextFile(target).catch(() => "") !== text) {
    throw new Error(`${target.pathname} is not what its sources make; run scripts/build_kernel.ts`);
  }
}
