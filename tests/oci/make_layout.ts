/** Images in OCI layouts, written by hand or by umoci. */
import { digestHex, sha256 } from "../../src/base/mod.ts";
import { noise } from "./fake_registry.ts";
import { runProgram } from "./test_support.ts";

/** A folder that is gone after `work`. */
export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-oci-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes a layout with one blob store and nothing in its index yet. */
export class LayoutWriter {
  readonly path: string;
  entries: Record<string, unknown>[] = [];

  constructor(path: string) {
    this.path = path;
    Deno.mkdirSync(`${path}/blobs/sha256`, { recursive: true });
    Deno.writeTextFileSync(`${path}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    this.writeIndex();
  }

  /** Where the blob with this digest is. */
  blobPath(digest: string): string {
    return `${this.path}/blobs/sha256/${digest.slice(7)}`;
  }

  /** Writes a blob; what a descriptor says of it. */
  addBlob(bytes: Uint8Array, mediaType: string): { digest: string; size: number; mediaType: string } {
    const digest = sha256(bytes);
    Deno.writeFileSync(`${this.path}/blobs/sha256/${digestHex(digest)}`, bytes);
    return { digest, size: bytes.length, mediaType };
  }

  /** Writes a document. */
  addJson(value: unknown, mediaType: string): { digest: string; size: number; mediaType: string } {
    return this.addBlob(new TextEncoder().encode(JSON.stringify(value)), mediaType);
  }

  /** Writes an image with one layer of noise, without an entry in the index. */
  addImage(
    { platform = { os: "linux", architecture: "amd64" }, seed = 1 }: {
      platform?: { os: string; architecture: string; variant?: string };
      seed?: number;
    } = {},
  ): { digest: string; size: number; mediaType: string } {
    const layer = noise(2000, seed);
    const rootfs = { type: "layers", diff_ids: [sha256(layer)] };
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    return this.addJson({
      schemaVersion: 2,
      mediaType,
      config: this.addJson({ ...platform, rootfs }, "application/vnd.oci.image.config.v1+json"),
      layers: [this.addBlob(layer, "application/vnd.oci.image.layer.v1.tar")],
    }, mediaType);
  }

  /** Adds an entry to the index. */
  addEntry(descriptor: Record<string, unknown>, tag?: string): void {
    const annotations = tag === undefined ? {} : { annotations: { "org.opencontainers.image.ref.name": tag } };
    this.entries.push({ ...descriptor, ...annotations });
    this.writeIndex();
  }

  writeIndex(): void {
    Deno.writeTextFileSync(`${this.path}/index.json`, JSON.stringify({ schemaVersion: 2, manifests: this.entries }));
  }
}

/** Writes a layout with umoci: tag v1 with two gzip layers, of which the second adds `/data/noise`. */
export async function makeUmociLayout(folder: string): Promise<string> {
  const layout = `${folder}/layout`;
  Deno.writeTextFileSync(`${folder}/hello`, "hello\n");
  Deno.writeFileSync(`${folder}/noise`, noise(500_000, 9));
  await runProgram("umoci", "init", "--layout", layout);
  await runProgram("umoci", "new", "--image", `${layout}:v1`);
  await runProgram("umoci", "insert", "--image", `${layout}:v1`, `${folder}/hello`, "/hello");
  await runProgram("umoci", "insert", "--image", `${layout}:v1`, `${folder}/noise`, "/data/noise");
  await runProgram("umoci", "gc", "--layout", layout);
  return layout;
}
