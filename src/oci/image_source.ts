import type { Digest } from "../base/mod.ts";
import type { Descriptor } from "./descriptor.ts";
import type { ImageDocument } from "./manifest.ts";
import type { ImageReference } from "./reference.ts";
import type { BlobStore } from "./source.ts";

/** A place that holds images as documents that point to one another by digest: a registry or a layout. */
export interface ImageSource {
  /** What it is, for messages; never holds a secret. */
  readonly description: string;
  /** The layers; closing it closes the source. */
  readonly blobs: BlobStore;
  /** The manifest or index that the reference names, its digest verified. */
  root(): Promise<ImageDocument>;
  /** The manifest or index that `descriptor` points to, size and digest verified. */
  document(descriptor: Descriptor): Promise<ImageDocument>;
  /** The bytes of a config, of the size that `descriptor` says (at most MAX_CONFIG_BYTES); not verified further. */
  config(descriptor: Descriptor): Promise<Uint8Array>;
  /** How the image with this manifest can be named again. */
  pinned(manifestDigest: Digest): ImageReference;
}
