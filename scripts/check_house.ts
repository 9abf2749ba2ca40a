/**
 * Holds the source against the house rules of docs/architecture.md: who may import whom, folders entered by mod.ts (or
 * early.ts) alone, sizes of files and functions, forbidden names, and that importing a module does nothing.
 * Prints one line a fault; exit status 1 if there is any.
 */

const ROOMS = ["tar", "codec", "archive", "oci", "storage", "cache", "fuse", "metrics"] as const;

/** Which folders of src/ a folder may import, itself aside. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  ...Object.fromEntries(ROOMS.map((room) => [room, ["base"]])),
  // Remote caches in S3 sign as archives there do.
  cache: ["storage", "base"],
  content: [...ROOMS, "base"],
  indexer: [...ROOMS, "content", "base"],
  distribution: [...ROOMS, "content", "indexer", "base"],
  mount: [...ROOMS, "content", "base"],
  pack: [...ROOMS, "content", "base"],
  bundle: [...ROOMS, "content", "base"],
  extract: [...ROOMS, "content", "base"],
  library: [...ROOMS, "content", "indexer", "mount", "base"],
  cli: [...ROOMS, "content", "indexer", "distribution", "mount", "bundle", "extract", "library", "pack", "base"],
};

/** By which others enter a folder: all of it; or what is begun before it is loaded, which imports nothing. */
const ENTRY = /^src\/[a-z]+\/(mod|early)\.ts$/;

const MAX_FILE_LINES = 350;
const MAX_FUNCTION_LINES = 70;
/** Larger than the rule, with the reason. None may exceed 500 lines. */
const EXCEPTIONS: Readonly<Record<string, { lines: number; why: string }>> = {};
/** Their tests run side by side in one process (the task `test`): none may change what they share. */
const PARALLEL_TESTS: readonly string[] = ["tests/codec", "tests/e2e", "tests/fidelity", "tests/hostile"];
const FORBIDDEN_NAMES = /(^|_)(utils?|common|helpers?|misc)(_|\.|$)/;

const faults: string[] = [];
const fault = (path: string, text: string) => faults.push(`${path}: ${text}`);

async function* sourceFiles(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (FORBIDDEN_NAMES.test(entry.name)) fault(path, "a name that says nothing: utils, common, helpers");
    if (entry.isDirectory) yield* sourceFiles(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

/** `src/<room>` of a path below src/, or undefined. */
function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function checkImports(path: string, text: string): void {
  const room = roomOf(path);
  if (room === undefined) return checkEntry(path, text);
  const pattern = /(?:^|\n)\s*(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/g;
  for (const match of text.matchAll(pattern)) {
    const specifier = match[1] ?? match[2]!;
    if (path.endsWith("/early.ts")) fault(path, `imports ${specifier}: it is to be loaded before anything else`);
    if (!specifier.startsWith(".")) {
      if (specifier.startsWith("jsr:") || specifier.startsWith("http")) fault(path, `imports ${specifier}`);
      continue;
    }
    const target = resolve(path, specifier);
    const other = roomOf(target);
    if (other === undefined) fault(path, `imports ${target}, which is outside src/`);
    else if (other !== room) {
      if (!MAY_IMPORT[room]?.includes(other)) fault(path, `${room} may not import ${other} (${target})`);
      if (!ENTRY.test(target)) fault(path, `enters ${other} by ${target} instead of its mod.ts`);
    }
  }
}

/** What others import: it holds nothing but what rooms give out. */
function checkEntry(path: string, text: string): void {
  if (path !== "src/mod.ts") fault(path, "a module outside the rooms");
  for (const [, specifier] of text.matchAll(/\bfrom\s*"([^"]+)"/g)) {
    if (!/^\.\/[a-z]+\/mod\.ts$/.test(specifier!)) fault(path, `enters ${specifier} instead of a mod.ts`);
  }
  if (/^(?!export |import |\}| |\/\*\*|$)/m.test(text)) fault(path, "more than exports");
}

function checkSizes(path: string, text: string): void {
  const lines = text.split("\n").length - 1;
  const allowed = EXCEPTIONS[path]?.lines ?? MAX_FILE_LINES;
  if (lines > allowed) fault(path, `${lines} lines, at most ${allowed}`);
  let start = -1;
  let head = "";
  text.split("\n").forEach((line, number) => {
    const opens = /^( {0,2})(?:export |async |static |private |function |get |set |\*|#?[a-zA-Z_]+[(<]).*\{$/.exec(
      line,
    );
    if (
      start < 0 && opens !== null && !/^\s*(?:if|for|while|switch|export const|const|class|export class)\b/.test(line)
    ) {
      if (/^export (?:abstract )?(?:class|interface)|interface /.test(line)) return;
      start = number;
      head = opens[1]!;
    } else if (start >= 0 && (line === `${head}}` || line === `${head}};`)) {
      const length = number - start + 1;
      if (length > MAX_FUNCTION_LINES) fault(`${path}:${start + 1}`, `a function of ${length} lines`);
      start = -1;
    }
  });
}

/** Imports every module in a process that may do nothing: one that does something on import fails there. */
async function checkImportsDoNothing(paths: readonly string[]): Promise<void> {
  const modules = paths.filter((path) => !path.endsWith("_worker.ts"));
  const script = modules.map((path) => `await import("./${path}");`).join("\n");
  const temporary = await Deno.makeTempFile({ dir: ".", prefix: ".import_all_", suffix: ".ts" });
  try {
    await Deno.writeTextFile(temporary, script);
    // npm packages ask for these two on their own account.
    const args = ["run", "--quiet", "--no-prompt", "--no-check", "--allow-env", "--allow-read=.", temporary];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, stderr: "piped" }).output();
    if (!success) fault("src", `importing does something:\n${new TextDecoder().decode(stderr)}`);
  } finally {
    await Deno.remove(temporary);
  }
}

const paths: string[] = [];
for await (const path of sourceFiles("src")) paths.push(path);
paths.sort();
const checked = paths.filter((path) => !path.includes("/assembly/"));
for (const path of checked) {
  const text = await Deno.readTextFile(path);
  if (/^src\/codec\/gzip\/kernel\/inflate_wasm\.ts$/.test(path)) continue; // generated
  checkImports(path, text);
  checkSizes(path, text);
}
await checkImportsDoNothing(checked);
for (const folder of PARALLEL_TESTS) {
  for await (const path of sourceFiles(folder)) {
    const text = await Deno.readTextFile(path);
    if (/\bDeno\.(chdir|env\.(set|delete))\(/.test(text)) fault(path, "changes what tests beside it share");
  }
}
for (const [path, { lines }] of Object.entries(EXCEPTIONS)) {
  if (!paths.includes(path)) fault(path, "an exception for a file that is not there");
  if (lines > 500) fault(path, "an exception beyond 500 lines");
}
await Deno.stderr.write(new TextEncoder().encode(faults.map((line) => `${line}\n`).join("")));
if (faults.length > 0) Deno.exit(1);
