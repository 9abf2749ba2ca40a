/** Bundles: what an OCI runtime needs to start a container of an image. */
export { BundleFolder, BundlePart, mountedBundle, newBundleFolder } from "./bundle_folder.ts";
export type { DirectoryAttributes } from "./bundle_folder.ts";
export { type Conversion, convertConfig, type Overrides } from "./convert_config.ts";
export type { RuntimeSetting } from "./default_config.ts";
export { type ImageConfig, readImageConfig } from "./image_config.ts";
export { overlayOptions, type OverlayPlaces } from "./overlay.ts";
export { readUserFiles } from "./read_user_files.ts";
export { needsUserFiles, resolveUser, type UserFiles } from "./resolve_user.ts";
export type { RuntimeConfig, RuntimeMount, RuntimeProcess, RuntimeUser } from "./runtime_config.ts";
export {
  attributesOf,
  bindMount,
  type HostVolume,
  type ImageVolume,
  imageVolumes,
  parseHostVolume,
} from "./volumes.ts";
