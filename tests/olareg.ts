/**
 * olareg: a small registry that has the referrers API, which Debian's has not. It is built from its released source,
 * once a machine, which takes half a minute; `.ci/run` begins with that at its start.
 */
import { ServerProcess } from "./cache/remote/server_process.ts";
import { mustRun } from "./e2e/programs.ts";
import type { Workbench } from "./e2e/workbench.ts";

const MODULE = "github.com/olareg/olareg";
const VERSION = "v0.1.2";
const FOLDER = `${Deno.env.get("TMPDIR") ?? "/tmp"}/clip-test-programs`;
const PROGRAM = `${FOLDER}/olareg-${VERSION}`;

function isBuilt(): boolean {
  try {
    return Deno.statSync(PROGRAM).isFile;
  } catch {
    return false;
  }
}

/** Programs that it takes. */
export const OLAREG_NEEDS: readonly string[] = isBuilt() ? [] : ["go"];

/** Builds the registry, unless that has been done. Needs `go`, and its module proxy. */
export async function buildOlareg(): Promise<void> {
  if (isBuilt()) return;
  // deno-lint-ignore no-console -- it takes its time
  console.log(`building ${MODULE}@${VERSION}, once`);
  const work = await Deno.makeTempDir({ prefix: "clip-olareg-" });
  try {
    // As a module's dependency: `go install` asks for all versions, which not every proxy lists.
    await Deno.writeTextFile(`${work}/go.mod`, `module clip/tests\ngo 1.23\nrequire ${MODULE} ${VERSION}\n`);
    await Deno.writeTextFile(`${work}/tools.go`, `package tools\n\nimport _ "${MODULE}/cmd/olareg"\n`);
    const build = ["go", "build", "-mod=mod", "-ldflags=-s -w", "-o", `${work}/olareg`, `${MODULE}/cmd/olareg`];
    await mustRun(build, { cwd: work, env: { CGO_ENABLED: "0" } });
    await Deno.mkdir(FOLDER, { recursive: true });
    await mustRun(["mv", `${work}/olareg`, PROGRAM]);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Starts one that keeps everything in memory and ends with the test; its `HOST:PORT`, plain http. */
export async function startOlareg(bench: Workbench): Promise<string> {
  await buildOlareg();
  const process = new ServerProcess({
    program: PROGRAM,
    args: (port) => ["serve", "--addr", "127.0.0.1", "--port", String(port), "--store-type", "mem", "--api-delete"],
  });
  bench.defer(() => process.kill());
  await process.start();
  return `127.0.0.1:${process.port}`;
}

if (import.meta.main) await buildOlareg();
