import assert from "node:assert/strict";
import { ClipError } from "../../src/base/mod.ts";
import { parseDocument } from "../../src/oci/manifest.ts";
import { fuzzTest } from "../fuzz/fuzz_target.ts";
import { documentsFuzz, MANIFEST } from "./documents_fuzz.ts";

fuzzTest(documentsFuzz, { rounds: 16_000, accepted: [0, 0.9] });

Deno.test("values nested a million deep are refused in one line, wherever they are", () => {
  const deep = (before: string, after = "") => `${before}${"[".repeat(1e6)}${"]".repeat(1e6)}${after}`;
  const manifest = deep(`{"schemaVersion":2,"mediaType":"${MANIFEST.mediaType}","config":`, "}");
  for (const text of [deep(""), deep('{"schemaVersion":', "}"), manifest, manifest.replace('"config":', '"layers":')]) {
    assert.throws(() => parseDocument(new TextEncoder().encode(text), "", "fuzz"), (error) => {
      assert(error instanceof ClipError && error.code === "corrupt", String(error));
      return !error.message.includes("\n") && error.message.length < 1000;
    });
  }
});
