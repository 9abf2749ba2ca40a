/**
 * Where images come from: references, registries, OCI layouts and archives. `resolveImage` goes from a reference to
 * the verified documents of one image; `openBlobStore` gives access to its layers, by range.
 */
export { type Artifact, type NewArtifact, type Subject } from "./artifact.ts";
export { ArtifactRepository, type PushedArtifact } from "./artifact_repository.ts";
export { type LoginQuery } from "./auth_file.ts";
export { type Credential, type Login, userCredential } from "./credential.ts";
export { type Descriptor, type LayerDescriptor } from "./descriptor.ts";
export { RegistryError, type RegistryErrorDetails } from "./errors.ts";
export { type Image } from "./image.ts";
export { type ImageConfig, type RunConfig } from "./image_config.ts";
export { type FoundLogin, type GivenLogin, type LoginRequest, Logins, type LoginsOptions } from "./logins.ts";
export { type HostGate, type HostGates } from "./host_gates.ts";
export { type Endpoint, type TlsFiles } from "./hosts/endpoint.ts";
export { Network, type NetworkOptions } from "./hosts/network.ts";
export { isNonDistributable } from "./media_types.ts";
export { listPlatforms } from "./list_platforms.ts";
export { openBlobStore } from "./open_blob_store.ts";
export { pingRegistry, type RegistryAnswer } from "./ping_registry.ts";
export { formatPlatform, machinePlatform, parsePlatform, type Platform } from "./platform.ts";
export {
  type DockerArchiveReference,
  type DockerReference,
  formatImageReference,
  type ImageReference,
  type LayoutReference,
  parseImageReference,
  withAbsolutePath,
} from "./reference.ts";
export { type Referrers } from "./referrers.ts";
export { resolveDigest } from "./resolve_digest.ts";
export { resolveImage } from "./resolve_image.ts";
export { type BlobStore, type SourceOptions } from "./source.ts";
