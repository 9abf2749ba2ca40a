import type { Digest } from "../base/mod.ts";
import type { LayerDescriptor } from "./descriptor.ts";
import type { ImageConfig } from "./image_config.ts";
import type { Platform } from "./platform.ts";
import type { ImageReference } from "./reference.ts";

/** One image for one platform, every document of it verified against the digest that names it. */
export interface Image {
  /** As asked for. */
  readonly reference: ImageReference;
  /**
   * Names this very image: by the digest of its manifest where the transport has digests, with an absolute path where
   * it has paths. What an archive stores so that the layers can be found again.
   */
  readonly pinnedReference: ImageReference;
  /** Of the manifest or the index that `reference` named; that of the manifest where there was no index between. */
  readonly rootDigest: Digest;
  /** As the config says. */
  readonly platform: Platform;
  /** In a docker archive, of its `manifest.json`. */
  readonly manifestDigest: Digest;
  /** `application/json` for a docker archive. */
  readonly manifestMediaType: string;
  /** In a docker archive, the whole of its `manifest.json`. */
  readonly manifestBytes: Uint8Array;
  /** Also known as the image ID. */
  readonly configDigest: Digest;
  /** As they are stored; their digest is `configDigest`. */
  readonly configBytes: Uint8Array;
  /** What `configBytes` say. */
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly LayerDescriptor[];
}
