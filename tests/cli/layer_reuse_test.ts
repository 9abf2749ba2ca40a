/** `clip index` with a cache of layers, and of the lowest layers alone. */
import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/mod.ts";
import { gzipLayer } from "../indexer/memory_image.ts";
import { clip, fail, inWorkplace, sampleLayers, succeed, type Workplace, writeLayout } from "./fake_io.ts";

const { test } = Deno;

/** `clip index` of the workplace's image to `name`, with further arguments. */
function index({ folder }: Workplace, image: string, name: string, ...args: string[]): string[] {
  return ["index", image, "-o", `${folder}/${name}`, "--platform", "linux/amd64", ...args];
}

/** A second image on the sample's layers; its reference. */
function secondImage({ folder }: Workplace): string {
  writeLayout(`${folder}/second`, [...sampleLayers(), gzipLayer({ path: "opt/own", data: "own" })]);
  return `oci:${folder}/second:v1`;
}

test("the second image on a base: the summary and the progress say what was reused", () =>
  inWorkplace(async (place) => {
    const cache = ["--index-cache", `${place.folder}/kept`];
    const quiet = ["--progress", "none"];
    assert.doesNotMatch(await succeed(index(place, place.image, "a.clip", ...cache, ...quiet)), /reused/);
    assert.match(
      await succeed(index(place, place.image, "b.clip", ...cache, ...quiet)),
      /% of 2 layers of .*s; 2 of 2 layers reused\noci:/,
    );
    assert(equalBytes(Deno.readFileSync(place.archive), Deno.readFileSync(`${place.folder}/b.clip`)));
    const second = secondImage(place);
    const { status, out, err } = await clip(index(place, second, "c.clip", ...cache, "--progress", "json"));
    assert.equal(status, 0, err);
    assert.match(out, /; 2 of 3 layers reused\n/);
    const events = err.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(events.filter(({ reused }) => reused).map(({ layer, done }) => [layer, done]), [[0, true], [
      1,
      true,
    ]]);
    assert(events.some(({ layer, reused, done }) => layer === 2 && !reused && done));
    const plain = await clip(index(place, second, "d.clip", ...cache, "--progress", "plain"));
    assert.match(
      plain.err,
      /^layer 0 [0-9a-f]{12}: reused, .* unpacked\)\nlayer 1 .*: reused, .*\nlayer 2 .*: reused, .*\n$/,
    );
    const bars = await clip(index(place, second, "e.clip", ...cache), (io) => io.terminal = { columns: 80 });
    assert.match(bars.err, /\[█{24}\] 100 % of .* reused\n/);
  }));

test("where what is learnt is kept: as told, in the cache folder, or nowhere", () =>
  inWorkplace(async (place) => {
    const { folder } = place;
    const kept = (path: string) => {
      try {
        return [...Deno.readDirSync(path)].length;
      } catch {
        return "no folder";
      }
    };
    const run = (name: string, variables: Record<string, string>, ...args: string[]) =>
      succeed(index(place, place.image, name, "--progress", "none", ...args), (io) => io.variables = variables);
    await run("a.clip", { CLIP_CACHE_DIR: `${folder}/cache` });
    assert.equal(kept(`${folder}/cache/index`), 2);
    await run("b.clip", { HOME: `${folder}/home` });
    assert.equal(kept(`${folder}/home/.cache/clip/index`), 2);
    const none = await run("c.clip", { CLIP_CACHE_DIR: `${folder}/other` }, "--index-cache", "none");
    assert.deepEqual([kept(`${folder}/other`), /reused/.test(none)], ["no folder", false]);
    assert.doesNotMatch(await run("d.clip", {}), /reused/);
    await run("e.clip", {}, "--index-cache", `${folder}/tiny`, "--index-cache-size", "10");
    assert.equal(kept(`${folder}/tiny`), "no folder");
    await fail(index(place, place.image, "f.clip", "--index-cache", ""), 2);
    await fail(index(place, place.image, "f.clip", "--index-cache-size", "much"), 2);
  }));

test("--layers: an archive of the lowest layers, on which everything works", () =>
  inWorkplace(async (place) => {
    const { folder, archive } = place;
    const second = secondImage(place);
    const text = await succeed(index(place, second, "part.clip", "--layers", "2", "--progress", "none"));
    assert.match(text, /% of 2 of 3 layers of /);
    const part = `${folder}/part.clip`;
    assert.match(await succeed(["inspect", part]), /\nlayers {6}2 of 3, /);
    assert.match(await succeed(["inspect", archive]), /\nlayers {6}2, /);
    const facts = JSON.parse(await succeed(["inspect", "--json", part]));
    assert.deepEqual([facts.layers.length, facts.imageLayers, facts.config.rootfs.diff_ids.length], [2, 3, 3]);
    const cached = ["--cache-dir", `${folder}/cache`];
    assert.equal(await succeed(["ls", "-R", part]), await succeed(["ls", "-R", archive]), "the tree of the two below");
    assert.equal(await succeed(["cat", ...cached, part, "/etc/passwd"]), "root:x:0:0\n");
    await succeed(["verify", "--layers", part]);
    assert.match(await fail(["cat", ...cached, part, "/opt/own"], 1), /\/opt\/own/);
    assert.match(
      await fail(index(place, second, "x.clip", "--layers", "4"), 2),
      /cannot index 4 layers of .*it has 3; give 1 to 3/,
    );
    await fail(index(place, second, "x.clip", "--layers", "0"), 2);
    assert.throws(() => Deno.statSync(`${folder}/x.clip`), Deno.errors.NotFound);
  }));
