/** Makes a small real image, an OCI layout of two gzip layers, from files of this machine: no tool and no registry. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";

/** Enough to be lazy about, little enough to be made in seconds. */
const MAX_BASE_BYTES = 64 * 1024 * 1024;
const FOLDERS = ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/share", "/etc"];
const BLOCK = 512;

/** What the demo compares with afterwards. */
export interface DemoImage {
  /** For `clip index`. */
  readonly reference: string;
  /** Files of the image and the sha256 of what they must hold. */
  readonly digests: ReadonlyMap<string, string>;
  /** One large file, whole. */
  readonly large: { readonly path: string; readonly bytes: Uint8Array };
  readonly compressedBytes: number;
}

/** Writes the layout to `folder`, which is made. */
export async function makeDemoImage(folder: string): Promise<DemoImage> {
  const digests = new Map<string, string>();
  const base = new TarWriter();
  for (const source of FOLDERS) await addTree(base, source, digests);
  const upper = new TarWriter();
  const big = pseudoRandomText(24 * 1024 * 1024);
  upper.directory("app");
  upper.file("app/big.txt", 0o644, big);
  upper.file(
    "app/hello",
    0o755,
    new TextEncoder().encode("#!/bin/sh\necho hello from an image that was never pulled\n"),
  );
  const [hidden] = digests.keys();
  upper.file(hidden!.slice(1).replace(/[^/]+$/, ".wh.$&"), 0o644, new Uint8Array(0));
  digests.delete(hidden!);
  const layers = [base.finish(), upper.finish()];
  const large = { path: "/app/big.txt", bytes: big };
  return { reference: `oci:${folder}:demo`, digests, large, compressedBytes: await writeLayout(folder, layers) };
}

async function addTree(tar: TarWriter, source: string, digests: Map<string, string>): Promise<void> {
  const names: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(source)) names.push(entry);
  } catch {
    return; // not on this machine, or not for this user
  }
  tar.directory(source.slice(1));
  for (const entry of names.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${source}/${entry.name}`;
    if (path.length > 99 || tar.bytes > MAX_BASE_BYTES) continue;
    try {
      if (entry.isSymlink) tar.symlink(path.slice(1), await Deno.readLink(path));
      else if (entry.isFile) {
        const { size, mode } = await Deno.stat(path);
        if (size > 16 * 1024 * 1024) continue;
        const bytes = await Deno.readFile(path);
        tar.file(path.slice(1), (mode ?? 0o644) & 0o777, bytes);
        digests.set(path, sha256(bytes));
      } else if (entry.isDirectory && source.split("/").length < 5) await addTree(tar, path, digests);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

async function writeLayout(folder: string, layers: readonly Uint8Array[]): Promise<number> {
  const blobs = `${folder}/blobs/sha256`;
  await Deno.mkdir(blobs, { recursive: true });
  const write = async (bytes: Uint8Array, mediaType: string) => {
    const hex = sha256(bytes);
    await Deno.writeFile(`${blobs}/${hex}`, bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const type = (name: string) => `application/vnd.oci.image.${name}`;
  const compressed = await Promise.all(layers.map((layer) => write(gzipSync(layer), type("layer.v1.tar+gzip"))));
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const rootfs = { type: "layers", diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) };
  const config = await write(json({ os: "linux", architecture, config: {}, rootfs }), type("config.v1+json"));
  const manifest = await write(
    json({ schemaVersion: 2, mediaType: type("manifest.v1+json"), config, layers: compressed }),
    type("manifest.v1+json"),
  );
  const annotations = { "org.opencontainers.image.ref.name": "demo" };
  await Deno.writeFile(`${folder}/oci-layout`, json({ imageLayoutVersion: "1.0.0" }));
  await Deno.writeFile(`${folder}/index.json`, json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  return compressed.reduce((bytes, layer) => bytes + layer.size, 0);
}

/** Writes ustar. Source: POSIX.1-2017, pax, "ustar Interchange Format". */
class TarWriter {
  #parts: Uint8Array[] = [];
  bytes = 0;

  directory(path: string): void {
    this.#add(this.#header(`${path}/`, "5", 0o755, 0, ""));
  }

  symlink(path: string, target: string): void {
    if (target.length < 100) this.#add(this.#header(path, "2", 0o777, 0, target));
  }

  file(path: string, mode: number, bytes: Uint8Array): void {
    this.#add(this.#header(path, "0", mode, bytes.length, ""));
    this.#add(bytes);
    this.#add(new Uint8Array((BLOCK - bytes.length % BLOCK) % BLOCK));
  }

  finish(): Uint8Array {
    this.#add(new Uint8Array(2 * BLOCK));
    const tar = new Uint8Array(this.bytes);
    let at = 0;
    for (const part of this.#parts) {
      tar.set(part, at);
      at += part.length;
    }
    return tar;
  }

  #add(part: Uint8Array): void {
    this.#parts.push(part);
    this.bytes += part.length;
  }

  #header(path: string, type: string, mode: number, size: number, link: string): Uint8Array {
    const header = new Uint8Array(BLOCK);
    const put = (at: number, text: string) => header.set(new TextEncoder().encode(text), at);
    const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
    put(0, path);
    put(100, `${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(size, 11)}\0${octal(1_700_000_000, 11)}\0`);
    put(148, "        ");
    put(156, type);
    put(157, link);
    put(257, "ustar\x0000");
    put(148, `${octal(header.reduce((sum, byte) => sum + byte, 0), 6)}\0 `);
    return header;
  }
}

/** Compresses about as well as text does; the same at every run. */
function pseudoRandomText(bytes: number): Uint8Array {
  const text = new Uint8Array(bytes);
  let state = 12345;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    text[at] = at % 64 === 63 ? 10 : 97 + ((state >>> 16) % 16);
  }
  return text;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
