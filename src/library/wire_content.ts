import type { Archive } from "../archive/mod.ts";
import { Content, type ContentOptions } from "../content/mod.ts";
import { type BlobStore, openBlobStore, parseImageReference, type SourceOptions } from "../oci/mod.ts";
import { layerDescriptor } from "./layer_descriptor.ts";

/** What an archive is wired to: where its layers are, and all that its content may be told besides. */
export interface WireOptions extends Omit<ContentOptions, "archive" | "blob"> {
  /** Where layers are fetched, as an image reference; default where the image was indexed. */
  readonly source?: string | undefined;
  /** How that is reached. Its requests wait as long as `deadlineMs`. */
  readonly reach: SourceOptions;
}

/** An archive's contents, ready to be read, and what is to be closed afterwards. */
export interface WiredContent {
  /** The files' contents. */
  readonly content: Content;
  /** What was read is in the cache afterwards, and reads fail. Caches that can be closed stay the caller's. */
  close(): Promise<void>;
}

/** Wires an archive to the image's blobs and the caches. Nothing is fetched before the first read. @throws {ClipError} */
export function wireContent(archive: Archive, { source, reach, ...options }: WireOptions): WiredContent {
  // A source of one's own is asked all the same: the archive may lie far away, and a mirror near.
  const isOwn = source === undefined || source === archive.image.source;
  const carried = archive.carriesData && isOwn;
  const reference = carried ? undefined : parseImageReference(source ?? archive.image.source);
  const { deadlineMs } = options;
  // Opened when something is missing from the cache: what is complete there needs no source, not even a local one.
  let blobs: Promise<BlobStore> | undefined;
  const openBlobs = () => {
    blobs ??= openBlobStore(reference!, deadlineMs === undefined ? reach : { ...reach, requestTimeoutMs: deadlineMs });
    blobs.catch(() => blobs = undefined);
    return blobs;
  };
  const content = new Content({
    ...options,
    archive,
    // What an archive carries is where the archive is, which has been reached.
    offline: options.offline && !carried,
    blob: async (layer) => {
      if (carried) return archive.blob(layer)!;
      return (await openBlobs()).layer(layerDescriptor(archive, layer));
    },
  });
  return {
    content,
    close: async () => {
      await content.settle();
      content.close();
      blobs?.then((store) => store.close(), () => {});
    },
  };
}
