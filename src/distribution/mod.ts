/** Archives and layer indexes through registries: one machine indexes, the others pull what it found. */
export {
  ANNOTATIONS,
  ARCHIVE_TYPE,
  type ArchiveFacts,
  keptTag,
  LAYER_INDEX_TYPE,
  readFacts,
} from "./archive_artifact.ts";
export { checkArchive } from "./check_archive.ts";
export { chooseArchives, type Wanted } from "./choose_archives.ts";
export { LayerIndexRepository, layerIndexTag } from "./layer_index_repository.ts";
export { type FoundBy, listArchives, type ListedArchive } from "./list_archives.ts";
export { pullArchive, type PulledArchive, type PullOptions } from "./pull_archive.ts";
export { pushArchive, type PushedArchive, type PushOptions } from "./push_archive.ts";
export { removeArchive } from "./remove_archive.ts";
export { parseSigningKey, type SigningKey, verifySignature } from "./verify_signature.ts";
export { type Derivation, type DeriveArchive, verifyIndex } from "./verify_index.ts";
