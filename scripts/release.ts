/**
 * `deno task release [--output DIR] [--target TARGET] [--binary FILE]`: makes dist/release/clip-VERSION-linux-MACHINE.tar.gz
 * with the executable, its documents and the licences of what is inside, and SHA256SUMS over all archives of the folder.
 * The same source and the same Deno make the same bytes. With --binary nothing is compiled.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { sha256 } from "../src/base/mod.ts";
import { VERSION } from "../src/cli/version.ts";
import { collectLicences } from "./licences.ts";

const DOCUMENTS = ["LICENSE", "README.md", "CHANGELOG.md", "docs/clip.1"];

const root = new URL("..", import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    output: { type: "string", short: "o", default: "dist/release" },
    target: { type: "string", default: Deno.build.target },
    binary: { type: "string" },
  },
});
const machine = values.target.split("-")[0]!;
const name = `clip-${VERSION}-linux-${machine}`;
const output = resolve(values.output);
const work = await Deno.makeTempDir({ prefix: "clip-release-" });
try {
  const folder = `${work}/${name}`;
  await Deno.mkdir(folder);
  await makeBinary(`${folder}/clip`);
  for (const document of DOCUMENTS) {
    await Deno.copyFile(`${root}${document}`, `${folder}/${document.replace("docs/", "")}`);
  }
  await Deno.writeTextFile(`${folder}/THIRD_PARTY_LICENSES`, await collectLicences(root));
  for await (const { name } of Deno.readDir(folder)) {
    await Deno.chmod(`${folder}/${name}`, name === "clip" ? 0o755 : 0o644);
  }
  await Deno.mkdir(output, { recursive: true });
  await pack(`${output}/${name}.tar.gz`);
  await writeChecksums();
} finally {
  await Deno.remove(work, { recursive: true });
}

async function makeBinary(path: string): Promise<void> {
  if (values.binary !== undefined) return await Deno.copyFile(values.binary, path);
  const script = `${root}scripts/compile.ts`;
  const target = values.target === Deno.build.target ? [] : ["--target", values.target];
  await run(Deno.execPath(), ["run", "-A", "--quiet", script, "--output", path, ...target]);
}

/** Names in order, no times, no owners: nothing of this machine. */
async function pack(path: string): Promise<void> {
  const fixed = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"];
  await run("tar", [...fixed, "-C", work, "-cf", `${work}/archive.tar`, name]);
  await run("gzip", ["-n", `${work}/archive.tar`]);
  await Deno.copyFile(`${work}/archive.tar.gz`, path);
}

async function writeChecksums(): Promise<void> {
  const names = [...Deno.readDirSync(output)].map(({ name }) => name).filter((name) => name.endsWith(".tar.gz")).sort();
  const lines = names.map((name) =>
    `${sha256(Deno.readFileSync(`${output}/${name}`)).slice("sha256:".length)}  ${name}\n`
  );
  await Deno.writeTextFile(`${output}/SHA256SUMS`, lines.join(""));
}

/** Standard output of a program. @throws {Error} when it fails. */
async function run(program: string, args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(program, { args, cwd: root, stderr: "inherit" }).output();
  if (!success) throw new Error(`${program} ${args[0]} failed`);
  return new TextDecoder().decode(stdout);
}
