/**
 * `deno task compile [-o FILE] [--target TARGET] [--commit HASH]`: makes the one executable, dist/clip.
 *
 * The program is compiled from a copy of its own files alone, joined into few modules: that starts in two thirds of the
 * time, and `deno compile` would embed every npm package of the configuration, used or not. Workers are named, since
 * neither can see them from the imports. Where Deno's release server is out of reach, set DENORT_BIN to a denort of the
 * same version as the deno that runs this.
 */
import { build, type Plugin, stop, transform } from "esbuild";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { collectLicences } from "./licences.ts";
import { type Lock, runtimeLock, withoutDevelopment } from "./runtime_packages.ts";
import { runningCommit } from "../src/cli/version.ts";

const WORKERS = [
  "src/cache/remote/value_worker.ts",
  "src/content/decode_worker.ts",
  "src/indexer/digest_worker.ts",
  "src/indexer/layer_worker.ts",
  "src/mount/serve_worker.ts",
  "src/pack/compress_worker.ts",
];
/** For `clip version --licences`: of all that is inside. */
const LICENCES = "licences.txt";
/**
 * New objects have 4 MiB a thread before they are looked through, not up to 16: most of clip's data are no objects. The
 * collector can be called by hand: a mount that is at rest gives its memory back.
 */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=4,--expose-gc";
/** For packages that are no ES modules. */
const REQUIRE =
  'import { createRequire as createRequireHere } from "node:module"; const require = createRequireHere(import.meta.url);';

/** Names inside of packages are made short, for they are read at each start. clip's own stay, for its stacks. */
const SHORT_PACKAGES: Plugin = {
  name: "short-packages",
  setup(build) {
    build.onLoad({ filter: /\/node_modules\/.*\.m?js$/ }, async ({ path }) => {
      const { code } = await transform(await Deno.readTextFile(path), { minifyIdentifiers: true });
      return { contents: code };
    });
  },
};

const root = new URL("..", import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    output: { type: "string", short: "o", default: "dist/clip" },
    target: { type: "string" },
    commit: { type: "string" },
  },
});
const work = await Deno.makeTempDir({ prefix: "clip-compile-" });
try {
  await copyTree("src");
  await Deno.copyFile(`${root}main.ts`, `${work}/main.ts`);
  await writeConfiguration();
  await writeCommit();
  await renameWorkers();
  await joinModules();
  Deno.exitCode = await compile();
} finally {
  await Deno.remove(work, { recursive: true });
}

async function copyTree(folder: string): Promise<void> {
  await Deno.mkdir(`${work}/${folder}`);
  for await (const { name, isDirectory } of Deno.readDir(`${root}${folder}`)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await copyTree(path);
    else await Deno.copyFile(`${root}${path}`, `${work}/${path}`);
  }
}

/** deno.json and deno.lock without what only development needs. */
async function writeConfiguration(): Promise<void> {
  const config = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
  const lock: Lock = JSON.parse(await Deno.readTextFile(`${root}deno.lock`));
  config.imports = withoutDevelopment(config.imports);
  config.nodeModulesDir = "auto";
  await Deno.writeTextFile(`${work}/deno.json`, JSON.stringify(config));
  await Deno.writeTextFile(`${work}/deno.lock`, JSON.stringify(runtimeLock(lock)));
}

/** What `clip version` says of where the binary comes from. */
async function writeCommit(): Promise<void> {
  const commit = values.commit ?? await runningCommit();
  const path = `${work}/src/cli/version.ts`;
  const text = await Deno.readTextFile(path);
  const line = /(?<=^export const BUILD_COMMIT: string \| undefined = )undefined;$/m;
  if (!line.test(text)) throw new Error(`${path} has no BUILD_COMMIT`);
  await Deno.writeTextFile(path, text.replace(line, () => `${JSON.stringify(commit)};`));
}

/** Joins what main module and Workers import, and puts them side by side into `out`, where each still finds the others by their names. */
async function joinModules(): Promise<void> {
  if (await deno(["install", "--quiet", "--frozen"], work) !== 0) throw new Error("the packages cannot be had");
  try {
    await build({
      absWorkingDir: work,
      entryPoints: ["main.ts", ...WORKERS],
      outdir: "out",
      entryNames: "[name]",
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "es2022",
      banner: { js: REQUIRE },
      inject: [`${root}scripts/lazy_segmenter.ts`],
      define: { "Intl.Segmenter": "LazySegmenter" },
      plugins: [SHORT_PACKAGES],
      minifyWhitespace: true,
      minifySyntax: true,
      lineLimit: 120, // stacks are to lead somewhere
      legalComments: "eof",
      logLevel: "warning",
    });
  } finally {
    await stop();
  }
  await Deno.writeTextFile(`${work}/out/deno.json`, "{}");
  await Deno.writeTextFile(`${work}/out/${LICENCES}`, await collectLicences(root));
  // They are embedded too: with one time for all, the same source makes the same executable.
  for await (const { name } of Deno.readDir(`${work}/out`)) await Deno.utime(`${work}/out/${name}`, 0, 0);
}

/** Joined modules are JavaScript: as TypeScript, Deno would embed them twice and take longer to load them. */
async function renameWorkers(): Promise<void> {
  for (const worker of WORKERS) {
    const folder = `${work}/${worker.replace(/[^/]*$/, "")}`;
    const name = worker.replace(/^.*\//, "");
    let isUsed = false;
    for await (const { name: other, isFile } of Deno.readDir(folder)) {
      if (!isFile) continue;
      const text = await Deno.readTextFile(`${folder}${other}`);
      const renamed = text.replaceAll(`new URL("./${name}"`, `new URL("./${moduleOf(name)}"`);
      if (renamed === text) continue;
      isUsed = true;
      await Deno.writeTextFile(`${folder}${other}`, renamed);
    }
    if (!isUsed) throw new Error(`nothing in its folder starts the Worker ${worker}`);
  }
}

/** The joined module that an entry point has become. */
function moduleOf(entryPoint: string): string {
  return entryPoint.replace(/^.*\//, "").replace(/\.ts$/, ".js");
}

/**
 * Without Deno's cache of compiled code: it would be a file of a known name in /tmp, whose owner nobody asks for, read by
 * root as well. It would save 12 ms of a start.
 */
async function compile(): Promise<number> {
  const output = resolve(values.output);
  await Deno.mkdir(new URL(".", `file://${output}`).pathname, { recursive: true });
  const args = ["compile", "--quiet", "--no-check", "--no-code-cache", "--allow-all", "--output", output, V8_FLAGS];
  for (const file of [...WORKERS.map(moduleOf), LICENCES]) args.push("--include", file);
  if (values.target !== undefined) args.push("--target", values.target);
  const status = await deno([...args, moduleOf("main.ts")], `${work}/out`);
  if (status === 0) await checkMachine(output, values.target ?? Deno.build.target);
  return status;
}

/** A DENORT_BIN is taken whatever machine it is for. Source: elf(5), e_machine. */
async function checkMachine(output: string, target: string): Promise<void> {
  const wanted = { x86_64: 62, aarch64: 183 }[target.split("-")[0]!];
  using file = await Deno.open(output);
  const header = new Uint8Array(20);
  await file.read(header);
  const machine = new DataView(header.buffer).getUint16(18, true);
  if (machine === wanted) return;
  await Deno.remove(output);
  throw new Error(`what was made is for machine ${machine}, not for ${target}: is DENORT_BIN for another?`);
}

async function deno(args: readonly string[], cwd: string): Promise<number> {
  const command = new Deno.Command(Deno.execPath(), { args: [...args], cwd, stdout: "inherit", stderr: "inherit" });
  return (await command.spawn().status).code;
}
