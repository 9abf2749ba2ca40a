import { crc32 } from "node:zlib";
import {
  type ByteRange,
  CorruptError,
  type Digest,
  messageOf,
  MIB,
  PartRangeSource,
  type RangeSource,
  verifyDigest,
} from "../base/mod.ts";
import { checkTree } from "./check_tree.ts";
import type { PackedSection } from "./encode_archive.ts";
import { readPackedSections } from "./with_profile.ts";
import { blobPlaces } from "./blob_places.ts";
import { inflateInto } from "./inflate_into.ts";
import { type CheckpointRecord, LayerTables } from "./layer_tables.ts";
import { align8, SECTION_NAMES, type SectionName } from "./layout.ts";
import type { ImageInfo } from "./model.ts";
import { readImageInfo } from "./read_image_info.ts";
import { type ProfileRange, readProfile } from "./profile_section.ts";
import { checkLongSection, readSection, readSectionTable, readStored, type SectionTable } from "./read_sections.ts";
import { Tree, type TreeBytes } from "./tree.ts";
import { type UnpackedWindow, unpackWindow } from "./window_record.ts";

/** The sections that are read when an archive is opened; the others are read when they are asked for. */
const AT_OPEN: readonly SectionName[] = [
  "image",
  "checkpoints",
  "spans",
  "inodes",
  "dirents",
  "names",
  "targets",
  "extents",
  "xattrs",
];

/** Windows of so many bytes are kept in memory, where reading them one by one is slow. */
const MAX_WINDOWS_AT_ONCE_BYTES = 8 * MIB;

/** An open archive: everything but windows, manifest and config is in memory and has been checked. */
export class Archive {
  /** sha256 over header and section table, in hex: stands for the whole archive. */
  readonly id: string;
  /** Where each section is. */
  readonly table: SectionTable;
  /** What the image section says. */
  readonly image: ImageInfo;
  /** The merged file tree. */
  readonly tree: Tree;
  /** The bytes under `tree`, shareable with other threads. */
  readonly treeBytes: TreeBytes;
  /** Checkpoints and spans. */
  readonly layers: LayerTables;
  /** What a start touches, in order; empty where no profile is stored. */
  readonly profile: readonly ProfileRange[];
  #source: RangeSource;
  #blobOffsets: readonly number[] | undefined;
  #windows: Promise<Uint8Array> | undefined;
  #lastGroup: { readonly offset: number; readonly bytes: Uint8Array } | undefined;

  /** Made by {@linkcode openArchive}. */
  constructor(
    source: RangeSource,
    parts: {
      table: SectionTable;
      image: ImageInfo;
      tree: Tree;
      treeBytes: TreeBytes;
      layers: LayerTables;
      profile: readonly ProfileRange[];
      blobOffsets: readonly number[] | undefined;
    },
  ) {
    this.#source = source;
    this.id = parts.table.id;
    this.table = parts.table;
    this.image = parts.image;
    this.tree = parts.tree;
    this.treeBytes = parts.treeBytes;
    this.layers = parts.layers;
    this.profile = parts.profile;
    this.#blobOffsets = parts.blobOffsets;
  }

  /** Where the archive was opened. */
  get description(): string {
    return this.#source.description;
  }

  /** Length of the archive in bytes. */
  get sizeBytes(): number {
    return this.#source.sizeBytes;
  }

  /** Whether it was made from an image, and not from a directory: then it has a manifest and a config. */
  get isOfImage(): boolean {
    return this.image.source !== "";
  }

  /** Whether it carries the blobs of its layers. */
  get carriesData(): boolean {
    return this.#blobOffsets !== undefined;
  }

  /** The blob of a layer that it carries; undefined where it carries none. Bytes are not verified here. */
  blob(layer: number): RangeSource | undefined {
    const offset = this.#blobOffsets?.[layer];
    if (offset === undefined) return undefined;
    const endExclusive = offset + this.image.layers[layer]!.compressedBytes;
    return new PartRangeSource(this.#source, { offset, endExclusive }, `layer ${layer} in ${this.description}`);
  }

  /** Its sections as they are stored, but for the data, checked: what another archive is made of. */
  packedSections(): Promise<PackedSection[]> {
    const { sections, profile } = this.table;
    const all = SECTION_NAMES.map((name) => sections[name]);
    return readPackedSections(this.#source, profile === undefined ? all : [...all, profile]);
  }

  /** The image's manifest, verbatim, checked against its digest. */
  manifest(): Promise<Uint8Array> {
    return this.#document("manifest", this.image.manifestDigest);
  }

  /** The image's config, verbatim, checked against its digest. */
  config(): Promise<Uint8Array> {
    return this.#document("config", this.image.configDigest);
  }

  async #document(name: "manifest" | "config", digest: Digest): Promise<Uint8Array> {
    const bytes = (await readSection(this.#source, this.table.sections[name])).slice();
    verifyDigest(bytes, digest, `${this.description}: ${name}`);
    return bytes;
  }

  /**
   * The window of checkpoint number `index` and the header of the block it is in, checked; both empty where it has
   * none. @throws {CorruptError}
   */
  async window(index: number): Promise<UnpackedWindow> {
    const checkpoint = this.layers.checkpoint(index);
    if (checkpoint.windowBytes === 0) return { window: new Uint8Array(0), blockHeader: new Uint8Array(0) };
    const group = await this.#windowGroup(index, checkpoint);
    const record = group.subarray(checkpoint.windowOffset, checkpoint.windowOffset + checkpoint.windowBytes);
    return unpackWindow(record, this.description);
  }

  async #windowGroup(index: number, checkpoint: CheckpointRecord): Promise<Uint8Array> {
    // Neighbours are asked for one after another, and share their group.
    if (this.#lastGroup?.offset === checkpoint.groupOffset) return this.#lastGroup.bytes;
    const offset = this.table.sections.windows.offset + checkpoint.groupOffset;
    const stored = await this.#storedWindows({ offset, endExclusive: offset + checkpoint.groupStoredBytes });
    const details = { subject: "archive", source: this.description, field: `window of checkpoint ${index}`, offset };
    const bytes = new Uint8Array(checkpoint.groupPlainBytes);
    try {
      await inflateInto(stored, bytes);
    } catch (error) {
      const expected = `${checkpoint.groupPlainBytes} bytes of deflated data`;
      throw new CorruptError({ ...details, actual: messageOf(error), expected }, { cause: error });
    }
    const found = crc32(bytes) >>> 0;
    if (found !== checkpoint.groupCrc32) {
      throw new CorruptError({ ...details, actual: `CRC-32 ${found}`, expected: checkpoint.groupCrc32 });
    }
    this.#lastGroup = { offset: checkpoint.groupOffset, bytes };
    return bytes;
  }

  /** Bytes of the windows. Where each read is a way to another machine and back, the first takes all of them along. */
  async #storedWindows(range: ByteRange): Promise<Uint8Array> {
    const { windows } = this.table.sections;
    if (this.#source.expect === undefined || windows.storedBytes > MAX_WINDOWS_AT_ONCE_BYTES) {
      return await this.#source.readRange(range);
    }
    this.#windows ??= readStored(this.#source, windows);
    this.#windows.catch(() => this.#windows = undefined);
    return (await this.#windows).subarray(range.offset - windows.offset, range.endExclusive - windows.offset);
  }

  /**
   * Reads and checks everything that opening does not: every section's digest, each window, manifest and config, and the
   * data that it carries against the digest of their section. @throws {CorruptError}; the reason of `signal`.
   */
  async verify(signal?: AbortSignal): Promise<void> {
    if (this.table.data !== undefined) await checkLongSection(this.#source, this.table.data, signal);
    for (const name of SECTION_NAMES) {
      if (!AT_OPEN.includes(name)) await readStored(this.#source, this.table.sections[name]);
    }
    const count = this.layers.firstCheckpoint[this.layers.layerCount]!;
    for (let index = 0; index < count; index++) await this.window(index);
    await this.manifest();
    await this.config();
  }
}

/**
 * Opens an archive: reads the tree, the spans and the checkpoints, and checks all of them, so that nothing read from
 * them later can lead outside. 100,000 nodes take about 25 ms, three times that in a process that has just started.
 * @throws {CorruptError} naming field, value and place; {ClipError} `unsupported` for another format version.
 */
export async function openArchive(source: RangeSource): Promise<Archive> {
  const table = await readSectionTable(source);
  await source.expect?.(atOpen(table));
  const sections = {} as Record<SectionName, Uint8Array>;
  for (const name of AT_OPEN) sections[name] = await readSection(source, table.sections[name]);
  const profileBytes = table.profile === undefined ? undefined : await readSection(source, table.profile);
  const treeBytes: TreeBytes = {
    inodes: sections.inodes,
    dirents: sections.dirents,
    names: sections.names,
    targets: sections.targets,
    extents: sections.extents,
    xattrs: sections.xattrs,
  };
  try {
    const image = readImageInfo(sections.image, source.description);
    const layers = new LayerTables(image, sections.checkpoints, sections.spans, table.sections.windows.plainBytes);
    const tree = new Tree(treeBytes);
    checkTree.all(tree, treeBytes, layers.layerPlainBytes);
    const profile = profileBytes === undefined ? [] : readProfile(profileBytes, layers.layerPlainBytes);
    const blobOffsets = table.data === undefined ? undefined : blobPlaces(image.layers, table.data);
    return new Archive(source, { table, image, tree, treeBytes, layers, profile, blobOffsets });
  } catch (error) {
    if (!(error instanceof CorruptError) || error.details.source !== undefined) throw error;
    throw new CorruptError({ ...error.details, source: source.description }, { cause: error.cause });
  }
}

/** What opening reads, in the order of the file. */
function atOpen({ sections, profile }: SectionTable): ByteRange[] {
  return [...AT_OPEN.map((name) => sections[name]), ...(profile === undefined ? [] : [profile])]
    .map(({ offset, storedBytes }) => ({ offset, endExclusive: align8(offset + storedBytes) }));
}
