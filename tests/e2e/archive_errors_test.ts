/** Files that are no archive, or a damaged one. */
import assert from "node:assert/strict";
import { expectFailure } from "./expect_failure.ts";
import { writeSmallImage } from "./oci_layout.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

/** Places in the archive at which a bit is turned over, besides its first and last bytes. */
const DAMAGES = 16;

async function smallArchive(bench: Workbench): Promise<Uint8Array> {
  writeSmallImage(bench.path("layout"));
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "good.clip"]);
  return Deno.readFileSync(bench.path("good.clip"));
}

e2eTest("archives: what is no archive is refused by every command", [], async (bench) => {
  const good = await smallArchive(bench);
  Deno.writeTextFileSync(bench.path("text.clip"), "This is no archive.\n".repeat(100));
  Deno.writeFileSync(bench.path("empty.clip"), new Uint8Array(0));
  Deno.writeFileSync(bench.path("short.clip"), good.subarray(0, good.length - 1));
  Deno.writeFileSync(bench.path("long.clip"), new Uint8Array([...good, 0]));
  bench.directory("folder.clip");
  bench.directory("mnt");
  const names = ["text", "empty", "short", "long", "folder", "missing"].map((name) => `${name}.clip`);
  for (const name of names) {
    await expectFailure(bench, ["ls", name], { code: 1, message: new RegExp(name.replace(".", "\\.")) });
  }
  const commands = [["inspect"], ["verify"], ["stat", "/"], ["cat", "/numbers"], ["mount", "mnt"]];
  for (const [command, ...args] of commands) {
    await expectFailure(bench, [command!, "text.clip", ...args], { code: 1, message: /text\.clip/ });
  }
});

e2eTest("archives: a turned bit anywhere is found by verify, and never read past", [], async (bench) => {
  const good = await smallArchive(bench);
  const places = [0, 8, good.length - 1];
  for (let i = 0; i < DAMAGES; i++) places.push(Math.floor((i + 0.5) * good.length / DAMAGES));
  const numbers = await bench.mustClip(["cat", "good.clip", "/numbers"]);
  for (const at of places) {
    const bad = good.slice();
    bad[at]! ^= 1 << at % 8;
    Deno.writeFileSync(bench.path("bad.clip"), bad);
    await expectFailure(bench, ["verify", "bad.clip"], { code: 1, message: /bad\.clip/ });
    // A damage that a command has no need to look at does not stop it; what it says is right then.
    const cat = await bench.clip(["cat", "bad.clip", "/numbers", "--cache-dir", bench.path(`cache-${at}`)]);
    if (cat.code === 0) assert.equal(cat.stdout, numbers);
    else assert.match(cat.stderr, /^(clip: (warn|error): [^\n]*\n)*clip: error: [^\n]*\n$/);
  }
});
