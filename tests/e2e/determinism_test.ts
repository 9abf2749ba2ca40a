import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { IMAGE_NEEDS, testImage } from "./test_image.ts";
import { e2eTest } from "./workbench.ts";

e2eTest("index: the same bytes each time, however many layers are read at once", IMAGE_NEEDS, async (bench) => {
  const { reference } = await testImage();
  const afresh = ["index", "--index-cache", "none", "--jobs"];
  await bench.mustClip([...afresh, "1", reference, "-o", "one.clip"]);
  await bench.mustClip([...afresh, "4", reference, "-o", "four.clip"]);
  await bench.mustClip([...afresh, "4", reference, "-o", "again.clip"]);
  const one = Deno.readFileSync(bench.path("one.clip"));
  for (const name of ["four.clip", "again.clip"]) {
    assert.ok(Buffer.from(Deno.readFileSync(bench.path(name))).equals(one), `${name} differs`);
  }
});
