/** The compiled kernel is what its sources make, needs nothing from outside, and loads wherever clip runs. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { INFLATE_WASM_BASE64 } from "../../../../src/codec/gzip/kernel/inflate_wasm.ts";

const SOURCE = new URL("../../../../src/", import.meta.url);

/** A program in which two kernels inflate 100,000 letters each; `answer` is where the last one is. */
const program = (source: URL | string): string => `
import { deflateRawSync } from "node:zlib";
import { InflateKernel } from "${source}codec/gzip/kernel/mod.ts";
const input = deflateRawSync(new Uint8Array(100_000).fill(65));
const kernels = [new InflateKernel(), new InflateKernel()];
for (const kernel of kernels) {
  kernel.reset({ window: new Uint8Array(0), bitOffset: 0, plainOffset: 0 });
  kernel.feed(input, 0, input.length);
  kernel.run(Infinity, false);
}
const answer = kernels.map((kernel) => kernel.output.subarray(0, kernel.outputEnd).lastIndexOf(65)).join();
`;

async function copyFolder(from: URL, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(new URL(`${name}/`, from), `${to}/${name}`);
    else await Deno.copyFile(new URL(name, from), `${to}/${name}`);
  }
}

Deno.test("kernel module: a fresh build gives the same file", async () => {
  const script = new URL("../../../../scripts/build_kernel.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", script, "--check"] })
    .output();
  assert.ok(success, new TextDecoder().decode(stderr));
});

Deno.test("kernel module: imports nothing, and its memory cannot grow", () => {
  const module = new WebAssembly.Module(Buffer.from(INFLATE_WASM_BASE64, "base64"));
  assert.deepEqual(WebAssembly.Module.imports(module), []);
  const memory = new WebAssembly.Instance(module).exports.memory as WebAssembly.Memory;
  assert.throws(() => memory.grow(1));
});

Deno.test("kernel module: loads in a Worker", async () => {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(path, `${program(SOURCE)}\n(self as unknown as Worker).postMessage(answer);`);
  const worker = new Worker(`file://${path}`, { type: "module" });
  try {
    const answer = await new Promise((resolve, reject) => {
      worker.onmessage = (event) => resolve(event.data);
      worker.onerror = (event) => reject(new Error(event.message));
    });
    assert.equal(answer, "99999,99999");
  } finally {
    worker.terminate();
    await Deno.remove(path);
  }
});

Deno.test({
  name: "kernel module: loads in a compiled executable",
  ignore: Deno.env.get("DENORT_BIN") === undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      // A copy beside the program: deno compile treats a source elsewhere as if it were JavaScript.
      await copyFolder(SOURCE, `${folder}/src`);
      await Deno.writeTextFile(`${folder}/main.ts`, `${program("./src/")}\nconsole.log(answer);`);
      const compile = ["compile", "--no-check", "--output", `${folder}/main`, `${folder}/main.ts`];
      const compiled = await new Deno.Command(Deno.execPath(), { args: compile }).output();
      assert.ok(compiled.success, new TextDecoder().decode(compiled.stderr));
      const { stdout, stderr } = await new Deno.Command(`${folder}/main`).output();
      assert.equal(new TextDecoder().decode(stdout).trim(), "99999,99999", new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
if (Deno.env.get("DENORT_BIN") === undefined) {
  // deno-lint-ignore no-console -- a skip says why
  console.log("skipped: the kernel in a compiled executable; DENORT_BIN names no runtime to compile with");
}
