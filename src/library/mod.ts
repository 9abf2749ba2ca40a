/**
 * What the commands do, as functions: {@linkcode index} reads an image and makes an archive of it, {@linkcode open}
 * opens one, to list, read and mount its files. Nothing is written to the console, nothing ends the process, and no
 * environment variable or cache folder is looked at that is not asked for, but those of logins (docs/credentials.md):
 * `logins: new Logins({ log, ambient: false })` leaves these alone too.
 */
export {
  ImageFiles,
  type MountOptions,
  type NamedFile,
  type Path,
  type ReadFileOptions,
  type WarmOptions,
} from "./image_files.ts";
export { index, type IndexedImage, type IndexedLayer, type IndexOptions } from "./index.ts";
export { layerDescriptor } from "./layer_descriptor.ts";
export { open, type OpenOptions } from "./open.ts";
export type { SourceChoices } from "./source_choices.ts";
export { wireContent, type WiredContent, type WireOptions } from "./wire_content.ts";
