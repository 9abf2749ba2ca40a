import { type Digest, isDigest, UsageError } from "../base/mod.ts";
import { show } from "./errors.ts";

/** An image in a registry. */
export interface DockerReference {
  /** What tells the kinds of references apart. */
  readonly transport: "docker";
  /** `host` or `host:port`; Docker Hub is `docker.io`. */
  readonly registry: string;
  /** As requests name it: `library/ubuntu`. */
  readonly repository: string;
  /** `latest` where the text named neither tag nor digest. */
  readonly tag?: string;
  /** Of a manifest or an index; where there is one, the tag is of no meaning. */
  readonly digest?: Digest;
}

/** An image in an OCI layout: a folder (`oci`) or an uncompressed tar of one (`oci-archive`). */
export interface LayoutReference {
  /** What tells the kinds of references apart. */
  readonly transport: "oci" | "oci-archive";
  /** Of the folder or the tar file; holds no colon. */
  readonly path: string;
  /** The value of the annotation `org.opencontainers.image.ref.name`. */
  readonly tag?: string;
  /** Of a manifest or an index; where there is one, the tag is of no meaning. */
  readonly digest?: Digest;
}

/** An image in a file that `docker save` wrote. */
export interface DockerArchiveReference {
  /** What tells the kinds of references apart. */
  readonly transport: "docker-archive";
  /** Of the tar file; holds no colon. */
  readonly path: string;
  /** In full: `docker.io/library/ubuntu:24.04`. Not needed where the file holds one image. */
  readonly tag?: string;
}

/** Where an image is. */
export type ImageReference =
  | DockerReference
  | (LayoutReference & { readonly transport: "oci" })
  | (LayoutReference & { readonly transport: "oci-archive" })
  | DockerArchiveReference;

const MAX_TEXT_LENGTH = 8192;
const MAX_NAME_LENGTH = 255;
const HOST =
  /^(?:(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])(?:\.(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9]))*|\[[a-f0-9:]+\])(?::(\d{1,5}))?$/i;
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const LAYOUT_TAG = /^[A-Za-z0-9][\w.:@+/-]{0,254}$/;
const UNKNOWN_TRANSPORT = /^(?:docker-daemon:|containers-storage:|[a-z][a-z0-9+.-]*:\/\/)/i;

/**
 * The image that `text` names: `NAME`, `docker://NAME`, `oci:DIR[:TAG|@DIGEST]`, `oci-archive:FILE[:TAG|@DIGEST]` or
 * `docker-archive:FILE[:NAME[:TAG]]`. A NAME is `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]` and gets Docker's defaults:
 * `docker.io`, `library/`, `latest`. Paths are kept as they are, relative ones too.
 * Source: github.com/distribution/reference (grammar, defaults); containers-transports(5).
 * @throws {UsageError}
 */
export function parseImageReference(text: string): ImageReference {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new UsageError(`an image reference of ${text.length} characters is too long`);
  }
  if (text.startsWith("docker://")) return parseDockerName(text.slice("docker://".length), text);
  const match = /^(oci|oci-archive|docker-archive):([^]*)$/.exec(text);
  if (match === null) {
    if (UNKNOWN_TRANSPORT.test(text)) {
      throw invalid(text, "write NAME, docker://NAME, oci:DIR, oci-archive:FILE or docker-archive:FILE");
    }
    return parseDockerName(text, text);
  }
  const transport = match[1] as "oci" | "oci-archive" | "docker-archive";
  return transport === "docker-archive"
    ? parseDockerArchive(match[2]!, text)
    : { ...parseLayout(match[2]!, text), transport };
}

/**
 * The canonical text of `reference`, which parses back to the same: `docker://docker.io/library/ubuntu:24.04`,
 * `oci:/abs/dir@sha256:…`. @throws {UsageError} when a path holds a colon, which no text can express.
 */
export function formatImageReference(reference: ImageReference): string {
  if (reference.transport === "docker") {
    const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
    const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
    return `docker://${reference.registry}/${reference.repository}${tag}${digest}`;
  }
  const path = checkPath(reference.path, `${reference.transport}:${reference.path}`);
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.transport === "docker-archive" || reference.digest === undefined
    ? ""
    : `@${reference.digest}`;
  return `${reference.transport}:${path}${tag}${digest}`;
}

/** `reference` with an absolute path, where it has one. @throws {UsageError} when that holds a colon. */
export function withAbsolutePath<Reference extends ImageReference>(reference: Reference): Reference {
  if (reference.transport === "docker") return reference;
  const { path } = reference;
  const absolute = path.startsWith("/") ? path : `${Deno.cwd()}/${path.replace(/^(?:\.\/+)+/, "")}`;
  return { ...reference, path: checkPath(absolute, `${reference.transport}:${absolute}`) };
}

/** A docker reference from its text without the transport; `whole` is what the user wrote, for messages. */
function parseDockerName(text: string, whole: string): DockerReference {
  if (text === "") throw invalid(whole, "it is empty");
  if (/^[a-f0-9]{64}$/.test(text)) throw invalid(whole, "64 hex digits are an image ID, not a name");
  const at = text.indexOf("@");
  const nameAndTag = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    throw invalid(whole, "after @ a digest must follow: sha256: and 64 lower-case hex digits");
  }
  const colon = nameAndTag.lastIndexOf(":");
  const hasTag = colon > nameAndTag.lastIndexOf("/");
  const name = hasTag ? nameAndTag.slice(0, colon) : nameAndTag;
  const tag = hasTag ? nameAndTag.slice(colon + 1) : digest === undefined ? "latest" : undefined;
  if (tag !== undefined && !TAG.test(tag)) {
    throw invalid(whole, "a tag has 1 to 128 of the characters A-Z a-z 0-9 _ . -, and starts with neither . nor -");
  }
  const { registry, repository } = splitName(name, whole);
  return {
    transport: "docker",
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Whether `text` is `host` or `host:port`, IPv6 addresses in brackets. */
export function isHost(text: string): boolean {
  const match = HOST.exec(text);
  return match !== null && Number(match[1] ?? 1) <= 65535;
}

function splitName(name: string, whole: string): { registry: string; repository: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const hasHost = /[.:]/.test(first) || first === "localhost";
  const host = hasHost ? first : "docker.io";
  if (!isHost(host)) throw invalid(whole, `"${show(host)}" is not a host or host:port`);
  const registry = host === "index.docker.io" ? "docker.io" : host;
  const path = hasHost ? name.slice(slash + 1) : name;
  const repository = registry === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  if (/[A-Z]/.test(repository)) throw invalid(whole, "a repository name must be in lower case");
  for (const component of repository.split("/")) {
    if (PATH_COMPONENT.test(component)) continue;
    const rule = "letters and digits, joined by single ., one or two _, or dashes";
    throw invalid(whole, `"${show(component)}" is not a part of a repository name (${rule})`);
  }
  if (registry.length + 1 + repository.length > MAX_NAME_LENGTH) {
    throw invalid(whole, `a name may have ${MAX_NAME_LENGTH} characters`);
  }
  return { registry, repository };
}

function parseLayout(rest: string, whole: string): Omit<LayoutReference, "transport"> {
  const match = /^([^]*)@((?:sha256|sha512):[^]*)$/.exec(rest);
  const digest = match?.[2];
  if (digest !== undefined && !isDigest(digest)) {
    throw invalid(whole, "after @ a digest must follow: sha256: and 64 lower-case hex digits");
  }
  const { path, after: tag } = splitPath(match?.[1] ?? rest, whole);
  if (tag !== undefined && !LAYOUT_TAG.test(tag)) throw invalid(whole, `"${show(tag)}" is not a tag of a layout`);
  return { path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

function parseDockerArchive(rest: string, whole: string): DockerArchiveReference {
  const { path, after } = splitPath(rest, whole);
  if (after === undefined) return { transport: "docker-archive", path };
  return { transport: "docker-archive", path, tag: canonicalDockerTag(after, whole) };
}

/**
 * `name[:tag]` in full, as in `docker.io/library/ubuntu:latest`; `whole` is what the user wrote, for messages.
 * @throws {UsageError} when it is not one, or holds a digest.
 */
export function canonicalDockerTag(text: string, whole: string = text): string {
  const reference = parseDockerName(text, whole);
  if (reference.digest !== undefined) throw invalid(whole, "a docker archive has names with tags, but no digests");
  return `${reference.registry}/${reference.repository}:${reference.tag}`;
}

function splitPath(rest: string, whole: string): { path: string; after: string | undefined } {
  const colon = rest.indexOf(":");
  const path = checkPath(colon < 0 ? rest : rest.slice(0, colon), whole);
  return { path, after: colon < 0 ? undefined : rest.slice(colon + 1) };
}

function checkPath(path: string, whole: string): string {
  if (path === "") throw invalid(whole, "the path is empty");
  if (path.includes("\0") || path.includes(":")) throw invalid(whole, "a path may hold neither a colon nor a NUL");
  if (/@(?:sha256|sha512)$/.test(path)) throw invalid(whole, "a path may not end like the start of a digest");
  return path;
}

function invalid(text: string, why: string): UsageError {
  return new UsageError(`"${show(text)}" is not an image reference: ${why}`);
}
