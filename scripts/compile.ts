/**
 * `deno task compile [-o FILE] [--target TARGET]`: makes the one executable, dist/clip.
 *
 * Workers are named, since `deno compile` cannot see them from the import graph. Where Deno's release server is out of
 * reach, set DENORT_BIN to a denort of the same version as the deno that runs this.
 */
import { parseArgs } from "node:util";

const WORKERS = ["src/indexer/layer_worker.ts", "src/mount/serve_worker.ts"];

const { values } = parseArgs({
  options: { output: { type: "string", short: "o", default: "dist/clip" }, target: { type: "string" } },
});
const args = ["compile", "--quiet", "--allow-all", "--output", values.output];
for (const worker of WORKERS) args.push("--include", worker);
if (values.target !== undefined) args.push("--target", values.target);
args.push("main.ts");
const { code } = await new Deno.Command(Deno.execPath(), {
  args,
  cwd: new URL("..", import.meta.url).pathname,
  stdout: "inherit",
  stderr: "inherit",
}).spawn().status;
Deno.exit(code);
