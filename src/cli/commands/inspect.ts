import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { CorruptError, formatBytes, UsageError, writeFileAtomically } from "../../base/mod.ts";
import { type Archive, S_IFREG, SECTION_NAMES } from "../../archive/mod.ts";
import { CheckpointKind } from "../../codec/mod.ts";
import { defineCommand } from "../command.ts";
import { openArchiveFile } from "../open_archive_file.ts";
import { path, requiredArgument } from "../basic_options.ts";

/** `clip inspect` */
export const inspect = defineCommand({
  summary: "Tell what a .clip file holds.",
  description: message`Tells of the image, its layers, their checkpoints and spans, and of the bytes each part of the \
index takes. --json adds the image's config. --html writes a page to look at in a browser: the files by size, each layer \
with its checkpoints and spans, and what a recorded start touches of them.`,
  examples: [
    "clip inspect ubuntu.clip",
    "clip inspect --json ubuntu.clip | jq .layers",
    "clip inspect --html ubuntu.html ubuntu.clip",
  ],
  parser: object({
    file: requiredArgument("FILE.clip", message`What clip index wrote.`),
    json: withDefault(flag("--json", { description: message`As JSON.` }), false),
    html: optional(option("--html", path("FILE"), {
      description: message`Write a page of HTML to this file: one file, which loads nothing.`,
    })),
  }),
  async run({ file, json, html }, context) {
    const { io } = context;
    if (json && html !== undefined) throw new UsageError("give --json or --html, not both");
    const archive = await openArchiveFile(file, context);
    const config = archive.isOfImage ? parseConfig(await archive.config(), file) : null;
    const facts = gather(archive, layersOfImage(config));
    if (html !== undefined) return await writePage(archive, facts, html);
    if (!json) return io.out(present(facts));
    io.out(`${JSON.stringify({ ...facts, config }, undefined, 2)}\n`);
  },
});

async function writePage(archive: Archive, facts: Facts, path: string): Promise<void> {
  // Loaded here: nothing else needs it.
  const { inspectPage } = await import("../inspect_page/page.ts");
  await writeFileAtomically(path, [new TextEncoder().encode(inspectPage(archive, headFacts(facts)))]);
}

function parseConfig(bytes: Uint8Array, source: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new CorruptError({ subject: "archive", source, field: "config", expected: "JSON" }, { cause: error });
  }
}

/** How many layers the image has, by its config; undefined where that does not say. */
function layersOfImage(config: unknown): number | undefined {
  const { rootfs } = (config ?? {}) as { rootfs?: { diff_ids?: unknown } | null };
  return Array.isArray(rootfs?.diff_ids) ? rootfs.diff_ids.length : undefined;
}

function gather(archive: Archive, imageLayers: number | undefined) {
  const { image, tree } = archive;
  let files = 0;
  let fileBytes = 0;
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    if (tree.type(inode) !== S_IFREG) continue;
    files++;
    fileBytes += tree.sizeBytes(inode);
  }
  return {
    file: archive.description,
    id: archive.id,
    bytes: archive.sizeBytes,
    source: image.source,
    platform: image.platform,
    manifest: { digest: image.manifestDigest, mediaType: image.manifestMediaType },
    configDigest: image.configDigest,
    options: image.options,
    tree: { inodes: tree.inodeCount, entries: tree.direntCount, files, fileBytes },
    // More than `layers` holds where the lowest alone were indexed.
    imageLayers: imageLayers ?? image.layers.length,
    layers: image.layers.map((layer, number) => ({ ...layer, ...describeLayer(archive, number) })),
    carriesData: archive.carriesData,
    sections: Object.fromEntries([
      ...(archive.table.data === undefined ? [] : [archive.table.data]),
      ...SECTION_NAMES.map((name) => archive.table.sections[name]),
      ...(archive.table.profile === undefined ? [] : [archive.table.profile]),
    ].map(({ name, storedBytes, plainBytes }) => [name, { storedBytes, plainBytes }])),
  };
}

/** Checkpoints by kind, what their windows take, and the spread of span lengths. */
function describeLayer({ layers }: Archive, layer: number) {
  const names = Object.keys(CheckpointKind);
  const checkpointKinds: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  let windowBytes = 0;
  for (let index = layers.firstCheckpoint[layer]!; index < layers.firstCheckpoint[layer + 1]!; index++) {
    const checkpoint = layers.checkpoint(index);
    const name = names[checkpoint.kind] ?? "unknown";
    checkpointKinds[name] = (checkpointKinds[name] ?? 0) + 1;
    windowBytes += checkpoint.windowBytes;
  }
  const lengths: number[] = [];
  for (let span = layers.firstSpan[layer]!; span < layers.firstSpan[layer + 1]!; span++) {
    lengths.push(layers.spanEnd(layer, span) - layers.spanOffsets[span]!);
  }
  lengths.sort((a, b) => a - b);
  const spanBytes = { median: lengths[lengths.length >> 1] ?? 0, longest: lengths.at(-1) ?? 0 };
  return { checkpointKinds, windowBytes, spanBytes };
}

type Facts = ReturnType<typeof gather>;

/** What is told of the archive as a whole. */
function headFacts({ platform, tree, layers, options, ...facts }: Facts): [name: string, value: string][] {
  const compressedBytes = layers.reduce((bytes, layer) => bytes + layer.compressedBytes, 0);
  const plainBytes = layers.reduce((bytes, layer) => bytes + layer.plainBytes, 0);
  const variant = platform.variant === undefined ? "" : `/${platform.variant}`;
  const files = options.fileCheckpointBytes === null ? "off" : `from ${formatBytes(options.fileCheckpointBytes)}`;
  const share = compressedBytes === 0 ? "" : ` (${(100 * facts.bytes / compressedBytes).toFixed(2)} % of the layers)`;
  const layerCount = layers.length === facts.imageLayers ? layers.length : `${layers.length} of ${facts.imageLayers}`;
  const isImage = facts.source !== "";
  const ofImage: [string, string][] = [
    ["source", facts.source],
    ["platform", `${platform.os}/${platform.architecture}${variant}`],
    ["manifest", facts.manifest.digest],
    ["config", facts.configDigest],
    ["indexed", `${options.strategy} checkpoints every ${formatBytes(options.spacingBytes)}, before files ${files}`],
  ];
  const ofDirectory: [string, string][] = [
    ["source", "a directory: no image"],
    ["packed", `${options.strategy}, chunks of ${formatBytes(options.spacingBytes)}`],
  ];
  return [
    ["file", `${facts.file}, ${formatBytes(facts.bytes)}${share}`],
    ["id", facts.id],
    ...(isImage ? ofImage : ofDirectory),
    ["data", facts.carriesData ? "in the file" : "at the source"],
    ["tree", `${tree.entries} entries, ${tree.inodes} inodes, ${tree.files} files of ${formatBytes(tree.fileBytes)}`],
    ["layers", `${layerCount}, ${formatBytes(compressedBytes)} (${formatBytes(plainBytes)} unpacked)`],
  ];
}

function present(facts: Facts): string {
  const { layers } = facts;
  const lines = headFacts(facts).map(([name, value]) => `${name.padEnd(11)} ${value}`);
  layers.forEach((layer, number) => {
    const kinds = Object.entries(layer.checkpointKinds).filter(([, count]) => count > 0);
    lines.push(
      ``,
      `layer ${number}     ${layer.digest}`,
      `  diff id   ${layer.diffId}`,
      `  format    ${layer.codec}, ${formatBytes(layer.compressedBytes)} (${formatBytes(layer.plainBytes)} unpacked)`,
      `  points    ${layer.checkpoints}: ${kinds.map(([kind, count]) => `${count} ${kind}`).join(", ")}; windows ` +
        formatBytes(layer.windowBytes),
      `  spans     ${layer.spans}, median ${formatBytes(layer.spanBytes.median)}, longest ` +
        formatBytes(layer.spanBytes.longest),
    );
  });
  lines.push(``, `part             in the file     unpacked`);
  for (const [name, { storedBytes, plainBytes }] of Object.entries(facts.sections)) {
    lines.push(`  ${name.padEnd(12)} ${formatBytes(storedBytes).padStart(12)} ${formatBytes(plainBytes).padStart(12)}`);
  }
  return `${lines.join("\n")}\n`;
}
