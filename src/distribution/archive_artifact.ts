/** An archive as an artifact: its types, its tag, and what its annotations tell. docs/distribution.md lists them. */
import { type Archive, FORMAT_VERSION } from "../archive/mod.ts";
import { type Digest, digestAlgorithm, digestHex } from "../base/mod.ts";
import { formatPlatform } from "../oci/mod.ts";

/** Artifact type of an archive, and media type of its blob. */
export const ARCHIVE_TYPE = "application/vnd.clip.archive.v1";
/** The same of a layer index. */
export const LAYER_INDEX_TYPE = "application/vnd.clip.layer-index.v1";

/** Names of annotations. */
export const ANNOTATIONS = {
  formatVersion: "vnd.clip.format-version",
  archiveBytes: "vnd.clip.archive-bytes",
  strategy: "vnd.clip.strategy",
  spacingBytes: "vnd.clip.spacing-bytes",
  fileCheckpointBytes: "vnd.clip.file-checkpoint-bytes",
  profileRanges: "vnd.clip.profile-ranges",
  platform: "vnd.clip.platform",
  clipVersion: "vnd.clip.version",
  layer: "vnd.clip.layer",
  created: "org.opencontainers.image.created",
} as const;

/** What is told of an archive without reading it. Nothing of it is believed: it serves to choose. */
export interface ArchiveFacts {
  /** Undefined where the annotation is missing or no number; so for the others. */
  readonly formatVersion: number | undefined;
  /** Length of the archive. */
  readonly archiveBytes: number | undefined;
  /** How checkpoints were chosen. */
  readonly strategy: string | undefined;
  /** Aim of the distance between checkpoints. */
  readonly spacingBytes: number | undefined;
  /** Null: no files have checkpoints of their own. */
  readonly fileCheckpointBytes: number | null | undefined;
  /** How many ranges its profile has; 0 where it has none. */
  readonly profileRanges: number | undefined;
  /** Of the image. */
  readonly platform: string | undefined;
  /** Of the clip that pushed. */
  readonly clipVersion: string | undefined;
  /** RFC 3339, where the push was told a time. */
  readonly created: string | undefined;
}

/** The annotations of an archive that is pushed. Nothing enters but it, the version and the time that was given. */
export function archiveAnnotations(
  archive: Archive,
  { archiveBytes, clipVersion, createdMs }: {
    archiveBytes: number;
    clipVersion: string;
    createdMs: number | undefined;
  },
): Record<string, string> {
  const { options, platform } = archive.image;
  return {
    [ANNOTATIONS.formatVersion]: String(FORMAT_VERSION),
    [ANNOTATIONS.archiveBytes]: String(archiveBytes),
    [ANNOTATIONS.strategy]: options.strategy,
    [ANNOTATIONS.spacingBytes]: String(options.spacingBytes),
    [ANNOTATIONS.fileCheckpointBytes]: options.fileCheckpointBytes === null
      ? "off"
      : String(options.fileCheckpointBytes),
    [ANNOTATIONS.profileRanges]: String(archive.profile.length),
    [ANNOTATIONS.platform]: formatPlatform(platform),
    [ANNOTATIONS.clipVersion]: clipVersion,
    ...(createdMs === undefined ? {} : { [ANNOTATIONS.created]: new Date(createdMs).toISOString() }),
  };
}

/** What annotations tell of an archive. */
export function readFacts(annotations: Readonly<Record<string, string>>): ArchiveFacts {
  const text = (name: keyof typeof ANNOTATIONS) => {
    const key = ANNOTATIONS[name];
    return Object.hasOwn(annotations, key) ? annotations[key] : undefined;
  };
  const count = (name: keyof typeof ANNOTATIONS) => {
    const value = text(name);
    return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
  };
  return {
    formatVersion: count("formatVersion"),
    archiveBytes: count("archiveBytes"),
    strategy: text("strategy"),
    spacingBytes: count("spacingBytes"),
    fileCheckpointBytes: text("fileCheckpointBytes") === "off" ? null : count("fileCheckpointBytes"),
    profileRanges: count("profileRanges"),
    platform: text("platform"),
    clipVersion: text("clipVersion"),
    created: text("created"),
  };
}

/** The tag that keeps an archive where untagged artifacts are deleted: cosign's way, `sha256-<hex>.sig`. */
export function keptTag(manifestDigest: Digest): string {
  // A tag has 128 characters at most, a sha512 as many.
  return `${digestAlgorithm(manifestDigest)}-${digestHex(manifestDigest).slice(0, 64)}.clip`;
}
