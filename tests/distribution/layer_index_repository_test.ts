/** Layers' indexes from a repository: what is taken, what is not, what is pushed. */
import assert from "node:assert/strict";
import { type Digest, sha256 } from "../../src/base/mod.ts";
import { LAYER_INDEX_TYPE, LayerIndexRepository, layerIndexTag } from "../../src/distribution/mod.ts";
import {
  encodeLayerIndex,
  type LayerIndexes,
  layerIndexKey,
  type LayerScan,
  LayerScanner,
  type ScanLayerOptions,
} from "../../src/indexer/mod.ts";
import { ArtifactRepository, type LayerDescriptor } from "../../src/oci/mod.ts";
import { descriptorOf, gzipLayer, type MemoryLayer, SMALL_SPANS } from "../indexer/memory_image.ts";
import { type FakeRegistry, startFakeRegistry } from "../oci/fake_registry.ts";
import { quickOptions } from "../oci/test_support.ts";

const { test } = Deno;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const LAYER = gzipLayer({ path: "etc/motd", data: "hello\n" });
const OTHER = gzipLayer({ path: "etc/motd", data: "other\n" });

function scanOf(layer: MemoryLayer): LayerScan {
  const scanner = new LayerScanner(layer.mediaType, SMALL_SPANS);
  scanner.push(layer.blob);
  return scanner.finish();
}

/** The layer index that a scan of `of` makes, said to be of `layer`. */
function indexOf(layer: LayerDescriptor, of: MemoryLayer, options: ScanLayerOptions = SMALL_SPANS): Uint8Array {
  return encodeLayerIndex(scanOf(of), layerIndexKey(layer, options));
}

/** Puts a layer index under the layer's tag. */
function plant(registry: FakeRegistry, bytes: Uint8Array, change: Record<string, unknown> = {}): void {
  const digest = registry.addBlob(new Uint8Array(bytes));
  const blob = { mediaType: LAYER_INDEX_TYPE, digest, size: bytes.length };
  const config = { mediaType: "application/vnd.oci.empty.v1+json", digest, size: 2 };
  const types = { mediaType: MANIFEST, artifactType: LAYER_INDEX_TYPE };
  const manifest = { schemaVersion: 2, ...types, config, layers: [{ ...blob, ...change }], ...change };
  registry.addManifest(manifest, MANIFEST, layerIndexTag(descriptorOf(LAYER), SMALL_SPANS));
}

/** What this machine knows by itself. */
class Local implements LayerIndexes {
  known: LayerScan | undefined;
  written = 0;
  read(): Promise<LayerScan | undefined> {
    return Promise.resolve(this.known);
  }
  write(): Promise<void> {
    this.written++;
    return Promise.resolve();
  }
}

async function withRepository(
  work: (place: {
    registry: FakeRegistry;
    local: Local;
    open: (push: boolean) => LayerIndexRepository;
    lines: string[];
  }) => Promise<void>,
): Promise<void> {
  const registry = startFakeRegistry();
  const options = quickOptions();
  const artifacts = new ArtifactRepository({ registry: registry.host, repository: "team/layers" }, options);
  const local = new Local();
  const { log } = options;
  const open = (push: boolean) => new LayerIndexRepository(artifacts, { local, push, clipVersion: "1.2.3", log });
  try {
    await work({ registry, local, open, lines: log.lines });
  } finally {
    artifacts.close();
    await registry.stop();
  }
}

test("a layer's index is pulled where the machine has none, and kept nowhere", () =>
  withRepository(async ({ registry, local, open }) => {
    const layer = descriptorOf(LAYER);
    const repository = open(false);
    assert.equal(await repository.read(layer, SMALL_SPANS), undefined);
    plant(registry, indexOf(layer, LAYER));
    assert.deepEqual(await repository.read(layer, SMALL_SPANS), scanOf(LAYER));
    assert.equal(await repository.read(layer, { ...SMALL_SPANS, spacingBytes: 2 ** 20 }), undefined, "other options");
    assert.deepEqual([repository.pulled, local.written], [1, 0]);
    registry.seen.length = 0;
    local.known = scanOf(LAYER);
    assert.deepEqual(await repository.read(layer, SMALL_SPANS), local.known);
    assert.equal(registry.seen.length, 0, "what the machine knows is asked of nobody");
    const sha512 = { ...layer, digest: `sha512:${"0".repeat(128)}` as Digest };
    assert.equal(layerIndexTag(sha512, SMALL_SPANS), undefined);
  }));

test("what is not the index of this layer is not taken, with a warning; nor does a registry that fails matter", () =>
  withRepository(async ({ registry, open, lines }) => {
    const layer = descriptorOf(LAYER);
    const honest = indexOf(layer, LAYER);
    const flipped = honest.slice();
    flipped[honest.length - 1]! ^= 1;
    const cases: [RegExp | undefined, Uint8Array, Record<string, unknown>?][] = [
      [/of another layer or of other options/, indexOf(descriptorOf(OTHER), OTHER)],
      [/of another layer or of other options/, indexOf(layer, LAYER, { ...SMALL_SPANS, spacingBytes: 2 ** 20 })],
      // The scan of another layer under this one's name: its diffId and length are not what the image says.
      [undefined, indexOf(layer, OTHER)],
      [/digest/, flipped],
      [/artifactType/, honest, { artifactType: "application/vnd.example" }],
      [/a layer index of 1\.00 GiB, at most 64\.0 MiB are pulled/, honest, { size: 2 ** 30 }],
    ];
    for (const [expected, bytes, change] of cases) {
      lines.length = 0;
      registry.manifests.clear();
      plant(registry, bytes, change);
      assert.equal(await open(false).read(layer, SMALL_SPANS), undefined, `${expected}`);
      const warnings = lines.filter((line) => line.includes("warn:"));
      if (expected === undefined) assert.deepEqual(warnings, []);
      else assert.match(warnings.join(""), expected);
    }
    registry.manifests.clear();
    plant(registry, honest);
    registry.blobs.set(sha256(honest), flipped as Uint8Array<ArrayBuffer>);
    assert.equal(await open(false).read(layer, SMALL_SPANS), undefined);
    assert.match(lines.at(-1)!, /digest mismatch/);
    registry.always = { kind: "status", status: 500 };
    assert.equal(await open(false).read(layer, SMALL_SPANS), undefined);
    assert.match(lines.at(-1)!, /warn: cannot pull what is known of layer sha256:.*status 500/);
  }));

test("what was scanned, or is known, is pushed once, and only where that was asked for", () =>
  withRepository(async ({ registry, local, open, lines }) => {
    const layer = descriptorOf(LAYER);
    const puts: string[] = [];
    registry.handler = ({ method }, url) => {
      if (method === "GET") return undefined;
      puts.push(`${method} ${url.pathname.replace("/v2/team/layers/", "")}`);
      if (method === "HEAD") return new Response(null, { status: 404 });
      const location = "/v2/team/layers/blobs/uploads/1";
      return new Response(null, { status: method === "POST" ? 202 : 201, headers: { location } });
    };
    const scan = scanOf(LAYER);
    const index = indexOf(layer, LAYER);
    await open(false).write(layer, SMALL_SPANS, scan, index);
    assert.deepEqual([puts, local.written], [[], 1]);
    await open(true).write(layer, SMALL_SPANS, scan, index);
    assert.equal(puts.at(-1), `PUT manifests/${layerIndexTag(layer, SMALL_SPANS)}`);
    assert(puts.includes(`HEAD blobs/${sha256(index)}`));
    puts.length = 0;
    local.known = scan;
    await open(true).read(layer, SMALL_SPANS);
    assert(puts.includes(`HEAD blobs/${sha256(index)}`), "what was known before as well, and the same bytes");
    plant(registry, index);
    puts.length = 0;
    await open(true).read(layer, SMALL_SPANS);
    assert.deepEqual(puts, [], "it is there");
    registry.manifests.clear();
    registry.handler = ({ method }) => method === "GET" ? undefined : new Response(null, { status: 403 });
    await open(true).write(layer, SMALL_SPANS, scan, index);
    assert.match(lines.at(-1)!, /warn: cannot push what is known of layer .*access is denied/);
  }));
