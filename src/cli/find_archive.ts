import { ClipError, CorruptError, messageOf } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import { ImageArchives, type KnownImage } from "../indexer/mod.ts";
import {
  formatImageReference,
  formatPlatform,
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
import { type RegistryChoices, sourceOptions } from "./registry_choices.ts";

/** How an archive is found that may have to be made. */
export interface FindArchiveChoices extends Omit<IndexChoices, "layerCount"> {
  readonly cacheDir: string | undefined;
  readonly offline: boolean;
  readonly registry: RegistryChoices;
}

/** An archive that is there. */
export interface FoundArchive {
  /** The file it is in. */
  readonly path: string;
  /** Reads and checks it; it stays open until the command ends. @throws {ClipError} naming the file. */
  open(): Promise<Archive>;
  /** Where the layers are to be fetched: of an image, where it was asked for; undefined where the archive says it. */
  readonly source: string | undefined;
}

/**
 * The archive that FILE.clip|IMAGE means. A file that exists is an archive, and so is what can be nothing but a file:
 * a name that ends in `.clip` or begins with `/`, `./` or `../`. Anything else is an image: what the name means is asked
 * of its registry, and it is indexed unless an archive of that very image is in the cache folder.
 * @throws {ClipError} where it cannot be had; the signal's reason.
 */
export async function findArchive(
  text: string,
  choices: FindArchiveChoices,
  context: CommandContext,
): Promise<FoundArchive> {
  if (isFileName(text) || await isFile(text)) {
    return { path: text, open: () => openArchiveFile(text, context), source: undefined };
  }
  return await new ImageSearch(text, choices, context).run();
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

  constructor(text: string, choices: FindArchiveChoices, context: CommandContext) {
    const { io, log } = context;
    this.#text = text;
    this.#choices = choices;
    this.#context = context;
    this.#archives = new ImageArchives(`${cacheFolder(choices.cacheDir, io)}/archives`, { log });
    this.#reference = withAbsolutePath(parseImageReference(text));
    this.#name = `${formatImageReference(this.#reference)} ${formatPlatform(choices.indexing.platform)}`;
  }

  async run(): Promise<FoundArchive> {
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

  /** Whether the name means what it meant. A digest cannot come to mean anything else: then nobody is asked. */
  async #isStill(known: KnownImage): Promise<boolean> {
    if ("digest" in this.#reference && this.#reference.digest !== undefined) return true;
    try {
      return await resolveDigest(this.#reference, this.#sourceOptions()) === known.rootDigest;
    } catch (error) {
      if (!(error instanceof ClipError) || !["network", "registry"].includes(error.code)) throw error;
      const hint = `--offline opens what ${this.#text} meant when it was last looked up`;
      throw new ClipError(error.code, `${messageOf(error)}\n${hint}`, { cause: error });
    }
  }

  /** The archive of an image that was looked up before; undefined where there is none, or none that can be read. */
  async #openKnown(known: KnownImage): Promise<FoundArchive | undefined> {
    const path = this.#archives.path(known, this.#scanOptions());
    if (!await this.#archives.has(path)) return undefined;
    const archive = await this.#openSound(path);
    return archive === undefined ? undefined : { path, open: () => Promise.resolve(archive), source: known.source };
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

  /** Looks the name up, and indexes the image unless there is an archive of it under another name. */
  async #openFresh(): Promise<FoundArchive> {
    const { platform } = this.#choices.indexing;
    const { image, blobs } = await resolveImage(this.#reference, { ...this.#sourceOptions(), platform });
    try {
      const { manifestDigest, configDigest, rootDigest } = image;
      const source = formatImageReference(image.pinnedReference);
      const known: KnownImage = { name: this.#name, rootDigest, manifestDigest, configDigest, source };
      const path = this.#archives.path(known, this.#scanOptions());
      const obtain = async () => {
        await this.#archives.obtain(path, {
          make: async () => (await indexWithProgress(image, blobs, this.#choices, this.#context)).archive,
          signal: this.#context.io.signal,
        });
        return await this.#openSound(path);
      };
      const archive = await obtain() ?? await obtain();
      if (archive === undefined) throw new ClipError("io", `${path} is damaged as soon as it is written`);
      await this.#archives.remember(known);
      return { path, open: () => Promise.resolve(archive), source };
    } finally {
      blobs.close();
    }
  }

  #scanOptions() {
    return scanOptions(this.#choices.indexing, this.#choices.inflate);
  }

  #sourceOptions() {
    const { io, log } = this.#context;
    return { ...sourceOptions(this.#choices.registry, { io, log }), signal: io.signal };
  }
}
