import { ClipError, CorruptError, isArchiveUrl, messageOf, UsageError } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { SigningKey } from "../distribution/mod.ts";
import { ImageArchives, type KnownImage } from "../indexer/mod.ts";
import {
  type BlobStore,
  type DockerReference,
  formatImageReference,
  formatPlatform,
  type Image,
  type ImageReference,
  parseImageReference,
  resolveDigest,
  resolveImage,
  withAbsolutePath,
} from "../oci/mod.ts";
import { type IndexChoices, indexWithProgress } from "./index_with_progress.ts";
import { scanOptions } from "./indexing_options.ts";
import type { CommandContext } from "./io.ts";
import { cacheFolder } from "./open_cache.ts";
import { openArchiveFile } from "./open_archive_file.ts";
import { layerIndexesRepository, type PullingChoices, readSigningKey } from "./pulling_options.ts";
import { type RegistryChoices, sourceOptions } from "./registry_choices.ts";

/** Origin of archives that were pulled and compared with one made of the layers. */
const VERIFIED = "pulled and verified";

/** How an archive is found that may have to be made. */
export interface FindArchiveChoices extends Pick<IndexChoices, "indexing" | "reuse" | "inflate"> {
  readonly pulling: PullingChoices;
  readonly cacheDir: string | undefined;
  readonly offline: boolean;
  readonly registry: RegistryChoices;
  /** Where to fetch the layers, whatever the archive or the registry says. */
  readonly source?: string | undefined;
}

/** An archive that is there. */
export interface FoundArchive {
  /** The file it is in. */
  readonly path: string;
  /** Reads and checks it; it stays open until the command ends. @throws {ClipError} naming the file. */
  open(): Promise<Archive>;
  /** Where the layers are to be fetched: as was asked for, or of an image; undefined where the archive says it. */
  readonly source: string | undefined;
}

/**
 * The archive that FILE.clip|IMAGE means. A URL (s3://, https://, http://) is an archive there. A file that exists is an archive, and so is what can be nothing but a file:
 * a name that ends in `.clip` or begins with `/`, `./` or `../`. Anything else is an image: what the name means is asked
 * of its registry, and unless an archive of that very image is in the cache folder, it is pulled from there, or made.
 * @throws {ClipError} where it cannot be had; the signal's reason.
 */
export async function findArchive(
  text: string,
  choices: FindArchiveChoices,
  context: CommandContext,
): Promise<FoundArchive> {
  const { source } = choices;
  if (isArchiveUrl(text)) {
    return { path: text, open: () => openArchiveFile(text, context, choices), source };
  }
  if (isFileName(text) || await isFile(text)) {
    return { path: text, open: () => openArchiveFile(text, context), source };
  }
  const found = await new ImageSearch(text, choices, context).run();
  return { ...found, source: source ?? found.source };
}

/** Whether `text` can be nothing but the name of a file. */
export function isFileName(text: string): boolean {
  return text.endsWith(".clip") || /^\.{0,2}\//.test(text);
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => !isDirectory, () => false);
}

/** The way from the name of an image to its archive. */
class ImageSearch {
  #text: string;
  #choices: FindArchiveChoices;
  #context: CommandContext;
  #archives: ImageArchives;
  #reference: ImageReference;
  /** Names the image in records: the same for all ways to write it. */
  #name: string;
  /** What a pulled archive has to be signed with. */
  #key: SigningKey | undefined;
  /** Milliseconds since 1970: what was found out since then is new enough. */
  #startedMs: number;
  /** Whether an archive was pulled or made by this search. */
  #isMade = false;

  constructor(text: string, choices: FindArchiveChoices, context: CommandContext) {
    const { io, log } = context;
    this.#text = text;
    this.#choices = choices;
    this.#context = context;
    this.#startedMs = io.startedMs ?? Date.now();
    this.#archives = new ImageArchives(`${cacheFolder(choices.cacheDir, io)}/archives`, { log });
    this.#reference = withAbsolutePath(parseImageReference(text));
    this.#name = `${formatImageReference(this.#reference)} ${formatPlatform(choices.indexing.platform)}`;
  }

  async run(): Promise<FoundArchive> {
    this.#key = await readSigningKey(this.#choices.pulling.requireSignature);
    const { offline } = this.#choices;
    if (offline || this.#isPinned()) return await this.#find();
    return await this.#archives.inTurn(this.#name, this.#context.io.signal, () => this.#find());
  }

  async #find(): Promise<FoundArchive> {
    const known = await this.#archives.known(this.#name);
    const { offline } = this.#choices;
    if (known !== undefined && (offline || await this.#isStill(known))) {
      const opened = await this.#openKnown(known);
      if (opened !== undefined) return opened;
    }
    if (!offline) return await this.#openFresh();
    const what = known === undefined ? "what it is was never looked up here" : "it was not indexed here, or not so";
    const advice = "mount it once without --offline, with the same options";
    throw new ClipError("not_found", `cannot open ${this.#text} offline: ${what}; ${advice}`);
  }

  #isPinned(): boolean {
    return "digest" in this.#reference && this.#reference.digest !== undefined;
  }

  /** Whether the name means what it meant. A digest cannot come to mean anything else: then nobody is asked. */
  async #isStill(known: KnownImage): Promise<boolean> {
    // Another process has asked since this one began.
    if (this.#isPinned() || await this.#archives.wasSeenSince(this.#name, this.#startedMs)) return true;
    try {
      const isStill = await resolveDigest(this.#reference, this.#sourceOptions()) === known.rootDigest;
      if (isStill) await this.#archives.confirm(this.#name);
      return isStill;
    } catch (error) {
      if (!(error instanceof ClipError) || !["network", "registry"].includes(error.code)) throw error;
      const hint = `--offline opens what ${this.#text} meant when it was last looked up`;
      throw new ClipError(error.code, `${messageOf(error)}\n${hint}`, { cause: error });
    }
  }

  /** The archive of an image that was looked up; undefined where there is none here, or none that can be read. */
  async #openKnown(known: KnownImage): Promise<FoundArchive | undefined> {
    for (const origin of this.#origins()) {
      const path = this.#archives.path(known, this.#scanOptions(), origin);
      const archive = await this.#archives.has(path) ? await this.#openSound(path) : undefined;
      if (archive === undefined) continue;
      // One line says which way was taken; where it was just pulled or made, that one has been written.
      if (!this.#isMade) this.#context.log.info(`the index of ${this.#text} is in the cache folder`, { path });
      return { path, open: () => Promise.resolve(archive), source: known.source };
    }
    return undefined;
  }

  /** Whether archives are pulled: from registries, which alone hold any. */
  #pulls(): boolean {
    return this.#choices.pulling.pull !== "never" && this.#reference.transport === "docker";
  }

  /** By whose word archives are that will do: this machine's, from the layers; or others'. */
  #origins(): readonly (string | undefined)[] {
    const { verifyIndex } = this.#choices.pulling;
    const others = [
      ...(this.#pulls() ? [this.#pulled()] : []),
      ...(this.#layerIndexes() === undefined ? [] : [this.#joined()]),
    ];
    return [undefined, ...(this.#pulls() ? [VERIFIED] : []), ...(verifyIndex ? [] : others)];
  }

  /**
   * Origin of archives that were pulled: by the word of who has the key, or of who may push to that repository. The same
   * image in another repository is another matter.
   */
  #pulled(): string {
    if (this.#key !== undefined) return `signed with ${this.#key.fingerprint}`;
    const { registry, repository } = this.#reference as DockerReference;
    return `pulled from ${registry}/${repository}`;
  }

  /** The repository of layers' indexes; where an index is to be verified or signed, nobody else's word is taken. */
  #layerIndexes(): DockerReference | undefined {
    const { verifyIndex, requireSignature, layerIndexes } = this.#choices.pulling;
    return verifyIndex || requireSignature !== undefined
      ? undefined
      : layerIndexesRepository(layerIndexes, this.#context);
  }

  /** Of archives that are made of layers' indexes, which others may have pushed. */
  #joined(): string {
    const { registry, repository } = this.#layerIndexes()!;
    return `layers of ${registry}/${repository}`;
  }

  /** The archive in a file of the cache folder; where it is damaged, the file goes. */
  async #openSound(path: string): Promise<Archive | undefined> {
    try {
      return await openArchiveFile(path, this.#context);
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
      this.#context.log.warn(`the image is indexed again: ${messageOf(error)}`);
      await Deno.remove(path).catch(() => {});
      return undefined;
    }
  }

  /** Looks the name up, and has an archive made unless there is one of the image under another name. */
  async #openFresh(): Promise<FoundArchive> {
    const { platform } = this.#choices.indexing;
    const { image, blobs } = await resolveImage(this.#reference, { ...this.#sourceOptions(), platform });
    try {
      const { manifestDigest, configDigest, rootDigest } = image;
      const source = formatImageReference(image.pinnedReference);
      const known: KnownImage = { name: this.#name, rootDigest, manifestDigest, configDigest, source };
      const obtain = async () =>
        await this.#openKnown(known) ?? await this.#pull(known, image, blobs) ?? await this.#index(known, image, blobs);
      const found = await obtain() ?? await obtain();
      if (found === undefined) {
        throw new ClipError("io", `${this.#archives.description}: an archive is damaged as soon as it is written`);
      }
      await this.#archives.remember(known);
      return found;
    } finally {
      blobs.close();
    }
  }

  /** Pulls the archive from the registry; undefined where that is not wanted, or there is none to be used. */
  async #pull(known: KnownImage, image: Image, blobs: BlobStore): Promise<FoundArchive | undefined> {
    const { pull, verifyIndex } = this.#choices.pulling;
    if (pull === "only" && !this.#pulls()) throw new UsageError(`--pull only: ${this.#text} is in no registry`);
    if (!this.#pulls()) return undefined;
    const { log, io: { signal } } = this.#context;
    const { pullIndex } = await import("./pull_index.ts");
    const path = this.#archives.path(known, this.#scanOptions(), verifyIndex ? VERIFIED : this.#pulled());
    const make = async () => {
      try {
        const pulled = await pullIndex(image, blobs, this.#choices, this.#context);
        this.#isMade ||= pulled !== undefined;
        return pulled && [pulled.bytes];
      } catch (error) {
        if (pull === "only" || !(error instanceof ClipError) || ["network", "aborted"].includes(error.code)) {
          throw error;
        }
        log.warn(`the index of ${this.#text} is not taken from the registry: ${messageOf(error)}`);
        return undefined;
      }
    };
    const isThere = await this.#archives.obtain(path, { make, signal });
    if (!isThere && pull === "only") {
      const advice = "push one (clip index --push, clip push), or mount without --pull only";
      throw new ClipError("not_found", `${known.source}: its repository holds no index of it; ${advice}`);
    }
    return isThere ? await this.#openKnown(known) : undefined;
  }

  async #index(known: KnownImage, image: Image, blobs: BlobStore): Promise<FoundArchive | undefined> {
    const repository = this.#layerIndexes();
    const path = this.#archives.path(known, this.#scanOptions(), repository === undefined ? undefined : this.#joined());
    const { registry } = this.#choices;
    const shared = repository && { repository, push: false, registry };
    const make = async () => {
      this.#context.log.info(`${this.#text} is indexed on this machine`, { image: known.source });
      this.#isMade = true;
      return (await indexWithProgress(image, blobs, { ...this.#choices, shared }, this.#context)).archive;
    };
    await this.#archives.obtain(path, { make, signal: this.#context.io.signal });
    return await this.#openKnown(known);
  }

  #scanOptions() {
    return scanOptions(this.#choices.indexing, this.#choices.inflate);
  }

  #sourceOptions() {
    const { io, log } = this.#context;
    return { ...sourceOptions(this.#choices.registry, { io, log }), signal: io.signal };
  }
}
