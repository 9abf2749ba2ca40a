/** docs/distribution.md: its recipes are run as they stand, and every command line in it has options that there are. */
import assert from "node:assert/strict";
import { object } from "@optique/core/constructs";
import { parseSync } from "@optique/core/parser";
import { logOptions } from "../../src/cli/basic_options.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { blocksOf } from "../docs/blocks.ts";
import { startRegistry } from "../real_registry.ts";
import { CLIP_COMMAND, DENO_DIR } from "./clip_process.ts";
import { ARCHITECTURE, writeImage, writeLayer, writeSmallImage } from "./oci_layout.ts";
import { mustRun } from "./programs.ts";
import { e2eTest } from "./workbench.ts";

const DOCUMENT = Deno.readTextFileSync(new URL("../../docs/distribution.md", import.meta.url));
/** A cosign 2 to sign with; the recipe with signatures is left out without it. */
const COSIGN = Deno.env.get("CLIP_COSIGN");

e2eTest("docs/distribution.md: the recipes do what they say", [
  "/dev/fuse",
  "root",
  "skopeo",
  "docker-registry",
], async (bench) => {
  const registry = (await startRegistry())!;
  bench.defer(registry.stop);
  const layout = bench.path("layout");
  const copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", `oci:${layout}:latest`];
  const base = writeSmallImage(layout);
  await mustRun([...copy, `docker://${registry.host}/team/app:v1`]);
  writeImage(layout, [...base, writeLayer(layout, [{ path: "own", data: new Uint8Array(9) }])], ARCHITECTURE);
  await mustRun([...copy, `docker://${registry.host}/team/app:v2`]);
  const programs = bench.directory("bin");
  const clip = CLIP_COMMAND.map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${programs}/clip`, `#!/bin/sh\nexec ${clip} "$@"\n`, { mode: 0o755 });
  if (COSIGN !== undefined) {
    await Deno.symlink(COSIGN, `${programs}/cosign`);
    await mustRun([COSIGN, "generate-key-pair"], { cwd: bench.folder, env: { COSIGN_PASSWORD: "" } });
  }
  /** Runs a recipe on a machine that nobody else is. */
  const recipe = (name: string): Promise<string> => {
    const fence = blocksOf(DOCUMENT).find(({ comment }) => comment === `run: ${name}`);
    assert.ok(fence !== undefined, `there is no recipe ${name}`);
    const text = fence.text.replaceAll("registry.example", registry.host).replaceAll("/srv/app", bench.path("app"));
    const env = {
      PATH: `${programs}:${Deno.env.get("PATH")}`,
      HOME: bench.directory(`home-${name}`),
      DENO_DIR,
      CLIP_CACHE_DIR: bench.path(`cache-${name}`),
      CLIP_RUNTIME_DIR: bench.runtimeDir,
      COSIGN_PASSWORD: "",
    };
    return mustRun(["sh", "-euc", text], { cwd: bench.folder, env });
  };
  const pushed =
    /pushed app-v1\.clip: \S+ KiB; listed under the referrers' tag\ndocker:\/\/\S+\/team\/app@sha256:\w{64}\n/;
  assert.match(await recipe("ci"), pushed);
  assert.match(await recipe("worker"), /^mounted [^\n]*\nhello\n/);
  const file = await recipe("file");
  assert.match(file, /kept as sha256-\w{64}\.clip\n[^]*\nagain\.clip: .* found by referrers tag\n/);
  assert.match(file, /again\.clip: all of it is what docker:[^]*\nremoved sha256:/);
  assert.match(await recipe("layers"), /checkpoints, [^;\n]*\n[^]*; 2 of 3 layers reused\n/);
  if (COSIGN !== undefined) assert.match(await recipe("signed"), /^mounted /);
});

Deno.test("docs/distribution.md: every command line has options that there are", async () => {
  const texts = blocksOf(DOCUMENT).map(({ text }) => text);
  const lines = texts.join("\n").split("\n").flatMap((line) => {
    const args = /^\s*args: (\[.*\])$/.exec(line);
    if (args !== null) return [JSON.parse(args[1]!) as string[]];
    const command = /(?:^|-run: |- run: |=-?\/usr\/local\/bin\/|\$\()clip ([^|)#]*)/.exec(line.trim());
    return command === null ? [] : [command[1]!.trim().replaceAll(/\$\{\{.*?\}\}/g, "x").split(/\s+/)];
  });
  assert.ok(lines.length >= 15, `only ${lines.length} command lines were found`);
  for (const [name, ...args] of lines) {
    const entry = COMMANDS.find((command) => command.name === name);
    assert.ok(entry !== undefined, `there is no clip ${name}`);
    const parser = object({ command: (await entry.load()).parser, log: logOptions });
    assert.ok(parseSync(parser, args).success, `clip ${name} ${args.join(" ")}`);
  }
});
