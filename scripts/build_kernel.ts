/**
 * Compiles src/codec/gzip/kernel/assembly, AssemblyScript, to src/codec/gzip/kernel/inflate_wasm.ts.
 *
 *     deno run -A scripts/build_kernel.ts           writes the file
 *     deno run -A scripts/build_kernel.ts --check   fails unless the file is what would be written
 *
 * The compiler is pinned in deno.json and deterministic: the same sources give the same bytes.
 */
import { main as compile, version } from "assemblyscript/asc";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

const SOURCES = new URL("../src/codec/gzip/kernel/assembly/", import.meta.url);
const TARGET = new URL("../src/codec/gzip/kernel/inflate_wasm.ts", import.meta.url);
const LINE_CHARACTERS = 100;

/** The sources by name, in order of name. */
async function readSources(): Promise<Map<string, string>> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(SOURCES)) if (entry.name.endsWith(".ts")) names.push(entry.name);
  names.sort();
  const sources = new Map<string, string>();
  for (const name of names) sources.set(name, await Deno.readTextFile(new URL(name, SOURCES)));
  return sources;
}

/** The value of a constant of layout.ts that is written as a plain number. */
function constantOf(sources: Map<string, string>, name: string): string {
  const match = new RegExp(`export const ${name}: u32 = (\\d+);`).exec(sources.get("layout.ts") ?? "");
  if (match === null) throw new Error(`layout.ts has no constant ${name} that is a plain number`);
  return match[1]!;
}

async function compileSources(sources: Map<string, string>): Promise<Uint8Array> {
  let wasm: Uint8Array | undefined;
  const pages = constantOf(sources, "MEMORY_PAGES");
  const options = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd"];
  const { error, stderr } = await compile(
    ["inflate.ts", "--outFile", "inflate.wasm", ...options, "--initialMemory", pages, "--maximumMemory", pages],
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

function moduleText(sources: Map<string, string>, wasm: Uint8Array): string {
  const hash = createHash("sha256");
  for (const [name, text] of sources) hash.update(`${name}\0${text}\0`);
  const base64 = Buffer.from(wasm).toString("base64");
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += LINE_CHARACTERS) lines.push(base64.slice(at, at + LINE_CHARACTERS));
  return `// Made by scripts/build_kernel.ts from assembly/ with assemblyscript ${version}: not to be edited.
// sha256 of the sources: ${hash.digest("hex")}
// deno-fmt-ignore-file

/** The kernel: a WebAssembly module of ${wasm.length} bytes, in base64. */
export const INFLATE_WASM_BASE64: string = [
${lines.map((line) => `  "${line}",`).join("\n")}
].join("");
`;
}

const sources = await readSources();
const text = moduleText(sources, await compileSources(sources));
if (Deno.args.includes("--check")) {
  const present = await Deno.readTextFile(TARGET).catch(() => "");
  if (present !== text) throw new Error("inflate_wasm.ts is not what its sources make; run scripts/build_kernel.ts");
} else {
  await Deno.writeTextFile(TARGET, text);
}
