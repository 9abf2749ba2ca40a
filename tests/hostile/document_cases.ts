/** Documents that are wrong, too large, or lie. */
import { sha256 } from "../../src/base/mod.ts";
import type { LayoutWriter } from "../oci/make_layout.ts";
import { CONFIG, type HostileCase, INDEX, layerOf, MANIFEST, writeHostileImage } from "./hostile_case.ts";

const LAYER = layerOf({ path: "a", data: "x" });
const NOTHING = sha256(new Uint8Array(0));

function deep(before: string, after: string): string {
  return `${before}${"[".repeat(1e6)}${"]".repeat(1e6)}${after}`;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** An image whose manifest is this text. */
function manifestCase(name: string, message: RegExp, text: (layout: LayoutWriter) => string): HostileCase {
  return { name, message, make: (layout) => layout.addEntry(layout.addBlob(bytesOf(text(layout)), MANIFEST), "v1") };
}

/** An image whose config is this text. */
function configCase(name: string, message: RegExp, text: string): HostileCase {
  return {
    name,
    message,
    make: (layout) =>
      writeHostileImage(layout, [LAYER], { manifest: { config: layout.addBlob(bytesOf(text), CONFIG) } }),
  };
}

/** A layout in which one blob has other bytes than its digest says, of the same length. */
function damagedCase(name: string, message: RegExp, which: "manifest" | "config" | "layer"): HostileCase {
  return {
    name,
    message,
    make: (layout) => {
      writeHostileImage(layout, [LAYER]);
      const manifestDigest = String(layout.entries[0]!["digest"]);
      const manifest = JSON.parse(Deno.readTextFileSync(layout.blobPath(manifestDigest)));
      const digests = { manifest: manifestDigest, config: manifest.config.digest, layer: manifest.layers[0].digest };
      const path = layout.blobPath(digests[which]);
      const bytes = Deno.readFileSync(path);
      bytes[bytes.length - 3]! ^= 1;
      Deno.writeFileSync(path, bytes);
    },
  };
}

/** Indexes, each with the next as its only entry, `depth` of them. */
function nestedIndexes(layout: LayoutWriter, depth: number): void {
  let inner = layout.addImage();
  for (let i = 0; i < depth; i++) {
    inner = layout.addJson({ schemaVersion: 2, mediaType: INDEX, manifests: [inner] }, INDEX);
  }
  layout.addEntry(inner, "v1");
}

/** Each of one image. */
export const DOCUMENT_CASES: readonly HostileCase[] = [
  {
    name: "an index.json of 100 MB",
    message: /\S+\/index\.json has 100000000 bytes, at most 8388608 are read/,
    make: (layout) => {
      layout.addEntry(layout.addImage(), "v1");
      Deno.truncateSync(`${layout.path}/index.json`, 100e6);
    },
  },
  {
    name: "a manifest of 100 MB",
    message: /oci:\S+: manifest sha256:… has 100000000 bytes, at most 8388608 are read/,
    make: (layout) => layout.addEntry({ mediaType: MANIFEST, digest: NOTHING, size: 100e6 }, "v1"),
  },
  {
    name: "a manifest of 100 MB that says it is small",
    message: /\S+\/blobs\/sha256\/\w+ has 100000000 bytes, expected \d+/,
    make: (layout) => {
      const manifest = layout.addImage();
      Deno.truncateSync(layout.blobPath(manifest.digest), 100e6);
      layout.addEntry(manifest, "v1");
    },
  },
  {
    name: "a config of 100 MB",
    message: /oci:\S+: the image config has 100000000 bytes, at most 16777216 are read/,
    make: (layout) => {
      const config = { mediaType: CONFIG, digest: NOTHING, size: 100e6 };
      writeHostileImage(layout, [LAYER], { manifest: { config } });
    },
  },
  {
    name: "10,000 layers",
    message: /manifest oci:\S+@sha256:…: bad layers \(length\): found 10000, expected at most 4096/,
    make: (layout) => {
      const layer = layout.addBlob(LAYER.blob, "application/vnd.oci.image.layer.v1.tar+gzip");
      writeHostileImage(layout, [], { manifest: { layers: Array.from({ length: 10_000 }, () => layer) } });
    },
  },
  {
    name: "100,000 diff_ids",
    message: /image config .*: bad diff_ids \(length\): found 100000, expected at most 4096/,
    make: (layout) => {
      const rootfs = { type: "layers", diff_ids: Array.from({ length: 100_000 }, () => NOTHING) };
      writeHostileImage(layout, [LAYER], { config: { rootfs } });
    },
  },
  {
    name: "no diff_ids",
    message: /image config .*: bad number of rootfs.diff_ids: found 0, expected one for each of 1 layers/,
    make: (layout) => writeHostileImage(layout, [LAYER], { config: { rootfs: { type: "layers" } } }),
  },
  {
    name: "an index that names itself",
    message: /oci:\S+: digest mismatch: found sha256:…, expected sha256:…/,
    make: (layout) => {
      const entry = layout.addJson({ schemaVersion: 2, mediaType: INDEX, manifests: [] }, INDEX);
      const text = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [entry] });
      Deno.writeTextFileSync(layout.blobPath(entry.digest), text);
      layout.addEntry({ ...entry, size: text.length }, "v1");
    },
  },
  {
    name: "indexes ten deep",
    message: /oci:\S+: indexes are nested more than 4 deep/,
    make: (layout) => nestedIndexes(layout, 10),
  },
  {
    name: "an index of 200 images without a platform",
    message: /oci:\S+: more than 64 manifests would have to be looked at/,
    make: (layout) => {
      const platform = { os: "linux", architecture: "s390x" };
      const manifests = Array.from({ length: 200 }, (_, seed) => layout.addImage({ platform, seed: seed + 1 }));
      layout.addEntry(layout.addJson({ schemaVersion: 2, mediaType: INDEX, manifests }, INDEX), "v1");
    },
  },
  manifestCase("a manifest that is no JSON", /manifest oci:\S+@sha256:…: bad JSON text/, () => "{"),
  manifestCase(
    "a manifest that is no object",
    /manifest oci:\S+@sha256:…: bad top level: found \[\], expected an object/,
    () => "[]",
  ),
  manifestCase(
    "a manifest nested a million deep",
    /manifest oci:\S+@sha256:…: bad top level: found (\[{100}…|a value nested too deep to show), expected an object/,
    () => deep("", ""),
  ),
  manifestCase(
    "a field nested a million deep",
    /manifest oci:\S+@sha256:…: bad config: found (\[{100}…|a value nested too deep to show), expected a descriptor/,
    () => deep('{"schemaVersion":2,"config":', "}"),
  ),
  manifestCase(
    "a manifest that is an index too",
    /manifest oci:\S+@sha256:…: bad field: found manifests, expected none of it in \S+/,
    () => {
      return JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, manifests: [], layers: [] });
    },
  ),
  manifestCase(
    "a layer with a digest that leads elsewhere",
    /manifest \S+, layers\[0\]: bad digest: found sha256:\.\..*, expected sha256:<64 hex.*/,
    (layout) => {
      const digest = "sha256:../../../../etc/passwd";
      const config = layout.addJson({}, CONFIG);
      const layers = [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: 1 }];
      return JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers });
    },
  ),
  manifestCase(
    "control characters in a message",
    /manifest oci:\S+@sha256:…: bad schemaVersion: found \\x1b\[2J\\n, expected 2/,
    () => '{"schemaVersion":"\\u001b[2J\\n"}',
  ),
  configCase(
    "a config nested a million deep",
    /image config .*: bad rootfs: found .{30,101}, expected an object/,
    deep('{"rootfs":', "}"),
  ),
  configCase("a config that is no JSON", /image config .*: bad JSON text/, "\xff"),
  damagedCase(
    "a manifest of another digest",
    /oci:\S+: digest mismatch: found sha256:…, expected sha256:…/,
    "manifest",
  ),
  damagedCase(
    "a config of another digest",
    /config sha256:… of oci:\S+: digest mismatch: found sha256:…, expected sha256:…/,
    "config",
  ),
  damagedCase("a layer of another digest", /layer 0: .*/, "layer"),
  {
    name: "a named pipe for a layer",
    message: /layer 0: cannot read \S+: it is not a regular file/,
    make: (layout) => {
      writeHostileImage(layout, [LAYER]);
      const path = layout.blobPath(sha256(LAYER.blob));
      Deno.removeSync(path);
      new Deno.Command("mkfifo", { args: [path] }).outputSync();
    },
  },
];
