/** Every example of docs/library.md, run as a user's own program: what it prints is what the document says. */
import assert from "node:assert/strict";
import { mustRun } from "../e2e/programs.ts";
import { e2eTest, type Workbench } from "../e2e/workbench.ts";
import { blobPath, writeSmallImage } from "../e2e/oci_layout.ts";
import { type FakeRegistry, startFakeRegistry } from "../oci/fake_registry.ts";
import { blocksOf } from "./blocks.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const SEPARATOR = "---";

e2eTest("docs/library.md: every example runs and prints what stands behind it", ["/dev/fuse"], async (bench) => {
  const fences = blocksOf(await Deno.readTextFile(`${ROOT}/docs/library.md`));
  const examples = fences.flatMap(({ language, text }, at) =>
    language === "ts" ? [{ text, next: fences[at + 1] }] : []
  );
  assert(examples.length >= 5);
  assert.deepEqual(JSON.parse(fences.find(({ language }) => language === "json")!.text), { workspace: ["./clip"] });
  const registry = await prepare(bench);
  const names: string[] = [];
  for (const { text, next } of examples) {
    assert.equal(next?.language, "text", `what it prints is not told: ${text}`);
    names.push(`${names.length}.ts`);
    await Deno.writeTextFile(bench.path(names.at(-1)!), text.replaceAll("localhost:5000", registry.host));
  }
  const main = names.map((name) => `await import("./${name}");\nconsole.log("${SEPARATOR}");\n`).join("");
  await Deno.writeTextFile(bench.path("main.ts"), main);
  // Types as well: examples are copied by people whose editor checks them.
  await mustRun([Deno.execPath(), "check", "--quiet", ...names], { cwd: bench.folder });
  const out = await mustRun([Deno.execPath(), "run", "-A", "--no-check", "main.ts"], { cwd: bench.folder });
  const printed = out.replaceAll(bench.folder, "/srv").split(`${SEPARATOR}\n`);
  examples.forEach(({ next }, at) => assert.equal(printed[at], next!.text));
  await registry.stop();
});

/** A project that has clip beside it, a layout, and a registry with the same image. */
async function prepare(bench: Workbench): Promise<FakeRegistry> {
  await Deno.symlink(ROOT, bench.path("clip"));
  await Deno.writeTextFile(bench.path("deno.json"), JSON.stringify({ workspace: ["./clip"] }));
  const layout = bench.path("layout");
  writeSmallImage(layout);
  const registry = startFakeRegistry();
  const { manifests } = JSON.parse(await Deno.readTextFile(`${layout}/index.json`));
  const { digest, mediaType } = manifests[0];
  for await (const { name } of Deno.readDir(`${layout}/blobs/sha256`)) {
    registry.addBlob(await Deno.readFile(blobPath(layout, `sha256:${name}`)));
  }
  registry.addManifest(JSON.parse(await Deno.readTextFile(blobPath(layout, digest))), mediaType, "1");
  bench.defer(() => registry.stop());
  return registry;
}
