import { ClipError, type Digest, type Logger, verifyDigest } from "../base/mod.ts";
import { checkPlatform, platformSuits } from "./check_platform.ts";
import { choosePlatform, isImageEntry } from "./choose_platform.ts";
import { resolveDockerArchive } from "./docker_archive.ts";
import { show } from "./errors.ts";
import type { Image } from "./image.ts";
import { configPlatform, parseImageConfig } from "./image_config.ts";
import type { ImageSource } from "./image_source.ts";
import { type ImageDocument, joinLayers, type Manifest } from "./manifest.ts";
import { wrong } from "./json_fields.ts";
import { openSource } from "./open_blob_store.ts";
import { formatPlatform, type Platform } from "./platform.ts";
import { formatImageReference, type ImageReference } from "./reference.ts";
import type { BlobStore, SourceOptions } from "./source.ts";

const MAX_INDEX_DEPTH = 4;
const MAX_DOCUMENTS = 64;

/**
 * The image that `reference` names, for `platform`, and where its layers can be read; the caller closes `blobs`.
 * Manifests, indexes and config are verified against digests and sizes; layers are not read.
 * @throws {ClipError} `not_found` when there is no image for the platform (what there is, is listed); `unsupported`
 * for artifacts, schema 1 and layers that are no tars; `corrupt`, `digest_mismatch`, `limit` for bad documents; `denied`,
 * `registry`, `network` from registries. @throws the reason of the signal.
 */
export async function resolveImage(
  reference: ImageReference,
  options: SourceOptions & { readonly platform: Platform },
): Promise<{ image: Image; blobs: BlobStore }> {
  if (reference.transport === "docker-archive") return await resolveDockerArchive(reference, options.platform);
  const source = await openSource(reference, options);
  try {
    const search = new ImageSearch(source, reference, options);
    return { image: await search.run(), blobs: source.blobs };
  } catch (error) {
    source.blobs.close();
    throw error;
  }
}

/** The way from a reference to one image. */
class ImageSearch {
  readonly #source: ImageSource;
  readonly #reference: ImageReference;
  readonly #wanted: Platform;
  readonly #log: Logger;
  readonly #name: string;
  readonly #seen = new Set<string>();
  readonly #offered = new Set<string>();
  #rootDigest: Digest | undefined;

  constructor(
    source: ImageSource,
    reference: ImageReference,
    { platform, log }: { platform: Platform; log: Logger },
  ) {
    this.#source = source;
    this.#reference = reference;
    this.#wanted = platform;
    this.#log = log;
    this.#name = formatImageReference(reference);
  }

  async run(): Promise<Image> {
    const root = await this.#source.root();
    this.#rootDigest = root.digest;
    const image = await this.#visit(root, { depth: 1, picked: "directly" });
    if (image !== undefined) return image;
    const offered = [...this.#offered].slice(0, 50).join(", ");
    throw new ClipError(
      "not_found",
      `${this.#name}: no image for ${formatPlatform(this.#wanted)}; ` +
        (offered === "" ? "it holds no images at all" : `it offers ${offered}`),
    );
  }

  /**
   * The image in `document`; undefined when it is not for the wanted platform. `picked` says why it is looked at: an
   * entry that states its platform is believed, an entry that states none may turn out wrong.
   */
  async #visit(
    document: ImageDocument,
    { depth, picked }: { depth: number; picked: "directly" | "by platform" | "on trial" },
  ): Promise<Image | undefined> {
    const { parsed } = document;
    if (parsed.kind === "manifest") return await this.#assemble(document, parsed, picked);
    if (depth > MAX_INDEX_DEPTH) {
      throw new ClipError("limit", `${this.#name}: indexes are nested more than ${MAX_INDEX_DEPTH} deep`);
    }
    for (const entry of parsed.entries) {
      if (isImageEntry(entry) && entry.platform !== undefined) this.#offered.add(formatPlatform(entry.platform));
    }
    for (const entry of choosePlatform(parsed.entries, this.#wanted)) {
      if (this.#seen.has(entry.digest)) continue;
      this.#seen.add(entry.digest);
      if (this.#seen.size > MAX_DOCUMENTS) {
        throw new ClipError("limit", `${this.#name}: more than ${MAX_DOCUMENTS} manifests would have to be looked at`);
      }
      const document = await this.#source.document(entry);
      if (document.parsed.mediaType !== entry.mediaType) {
        throw wrong(document.parsed.mediaType, "mediaType", `${show(entry.mediaType)}, as the index says`, {
          subject: "manifest",
          source: `${this.#source.description}@${entry.digest}`,
        });
      }
      const image = await this.#visit(document, {
        depth: depth + 1,
        picked: entry.platform === undefined ? "on trial" : "by platform",
      });
      if (image !== undefined) return image;
    }
    return undefined;
  }

  async #assemble(
    { bytes, digest }: ImageDocument,
    manifest: Manifest,
    picked: "directly" | "by platform" | "on trial",
  ): Promise<Image | undefined> {
    const configName = `config ${manifest.config.digest} of ${this.#source.description}`;
    const configBytes = await this.#source.config(manifest.config);
    verifyDigest(configBytes, manifest.config.digest, configName);
    const config = parseImageConfig(configBytes, configName);
    const stated = configPlatform(config);
    if (picked === "on trial" && (stated === undefined || !platformSuits(stated, this.#wanted))) {
      if (stated !== undefined) this.#offered.add(formatPlatform(stated));
      return undefined;
    }
    if (picked === "by platform" && (stated === undefined || !platformSuits(stated, this.#wanted))) {
      this.#log.warn("the index and the image config disagree about the platform; the index is believed", {
        image: `${this.#source.description}@${digest}`,
        wanted: formatPlatform(this.#wanted),
        config: stated === undefined ? "nothing" : formatPlatform(stated),
      });
    }
    const platform = picked === "directly" ? checkPlatform(stated, this.#wanted, this.#name) : stated;
    return {
      reference: this.#reference,
      pinnedReference: this.#source.pinned(digest),
      rootDigest: this.#rootDigest ?? digest,
      platform: platform ?? this.#wanted,
      manifestDigest: digest,
      manifestMediaType: manifest.mediaType,
      manifestBytes: bytes,
      configDigest: manifest.config.digest,
      configBytes,
      config,
      layers: joinLayers(manifest, config, configName),
    };
  }
}
