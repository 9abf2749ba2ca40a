import { createHash } from "node:crypto";
import { displayByteString, formatBytes, utf8ToByteString } from "../../base/mod.ts";
import type { Archive } from "../../archive/mod.ts";
import { layerStrip } from "./layer_strip.ts";
import { PAGE_SCRIPT } from "./page_script.ts";
import { LAYER_COLOURS, PAGE_STYLE } from "./page_style.ts";
import { KIND_NAMES, type LayerPart, summarizeLayer } from "./summarize_layer.ts";
import { mostTouched, summarizeTree, type TreeSummary } from "./summarize_tree.ts";
import { TouchedBytes } from "./touched_bytes.ts";

/** Files that a start touched, listed by name. */
const TOUCHED_FILES = 25;

/** A row of facts: what, and how much of it. Text, not HTML. */
export type Fact = readonly [name: string, value: string];

/**
 * A page about an archive, all in one file: it asks nobody for anything, and its policy forbids it to. What an image
 * says is text to it, wherever it stands.
 * @param facts Shown first.
 */
export function inspectPage(archive: Archive, facts: readonly Fact[]): string {
  const touched = new TouchedBytes(archive);
  const hasProfile = archive.profile.length > 0;
  const tree = summarizeTree(archive, touched);
  const layers = archive.image.layers.map(({ plainBytes, spans }, layer) => {
    return { plainBytes, spans, parts: summarizeLayer(archive, layer, touched) };
  });
  const data = JSON.stringify({ tree: asArray(tree), layers, hasProfile, kinds: KIND_NAMES }).replaceAll(
    "<",
    "\\u003c",
  );
  const name = text(archive.image.source === "" ? archive.description : archive.image.source);
  // The script alone may run, and nothing may be loaded: not even from the page's own server.
  const hash = createHash("sha256").update(PAGE_SCRIPT).digest("base64");
  const policy =
    `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name} – clip inspect</title>
<link rel="icon" href="data:,">
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1 class="name">${name}</h1>
<p class="quiet">What ${text(archive.description)} holds, by clip inspect.</p>
<dl>${facts.map(([name, value]) => `<dt>${text(name)}</dt><dd>${text(value)}</dd>`).join("")}</dl>
</header>
<main>
${filesSection(hasProfile, layers.length)}
${hasProfile ? startSection(archive, touched) : ""}
${layersSection(archive, layers, hasProfile)}
${partsSection(archive)}
</main>
<footer>Sizes of files are unpacked. The page is one file and needs no network.</footer>
<script type="application/json" id="data">${data}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function filesSection(hasProfile: boolean, layerCount: number): string {
  const key = Array.from({ length: Math.min(layerCount, LAYER_COLOURS) }, (_, layer) => {
    const others = layerCount > LAYER_COLOURS ? "…" : "";
    return `<span><span class="swatch" style="background:var(--l${layer})"></span>layer ${layer}${others}</span>`;
  }).join("");
  const touched = hasProfile
    ? `<label><input type="radio" name="colour" value="touched"> what a recorded start touched</label>`
    : "";
  return `<section aria-labelledby="files">
<h2 id="files">Files by size</h2>
<p class="quiet">Each tile is a file or directory. Arrow keys go from tile to tile, Enter looks into a directory,
Escape goes back.</p>
<fieldset><legend>Colour by</legend>
<label><input type="radio" name="colour" value="layer" checked> layer</label>${touched}</fieldset>
<div class="key layers">${key}</div>
<nav id="crumbs" aria-label="Directory"><ol></ol></nav>
<div id="treemap" role="group" aria-describedby="files"></div>
<output id="treemap-info" aria-live="polite"></output>
</section>`;
}

function startSection(archive: Archive, touched: TouchedBytes): string {
  const { files, most } = mostTouched(archive, touched, TOUCHED_FILES);
  const { layers, profile } = archive;
  const bytes = layers.layerPlainBytes.reduce((sum, length, layer) => sum + touched.of(layer, 0, length), 0);
  const all = layers.layerPlainBytes.reduce((sum, length) => sum + length, 0);
  const rows = most.map(({ path, bytes, touchedBytes }) =>
    `<tr><td class="name">${text(path)}</td>${number(formatBytes(touchedBytes))}${number(formatBytes(bytes))}</tr>`
  );
  return `<section aria-labelledby="start">
<h2 id="start">What a recorded start touched</h2>
<p>${count(profile.length, "range")} of ${formatBytes(bytes)}, ${share(bytes, all)} of the image unpacked, in
${count(files, "file")}; spans are fetched whole. The files that most was touched of:</p>
<div class="scroll" tabindex="0" role="region" aria-label="Files touched by a recorded start"><table>
<thead><tr><th scope="col">File</th><th scope="col" class="number">Touched</th><th scope="col" class="number">Size</th></tr>
</thead><tbody>${rows.join("")}</tbody></table></div>
</section>`;
}

function layersSection(
  { image }: Archive,
  layers: readonly { readonly parts: readonly LayerPart[] }[],
  hasProfile: boolean,
): string {
  const swatch = (colour: string, name: string) =>
    `<span><span class="swatch" style="background:${colour}"></span>${name}</span>`;
  const key = [
    swatch("var(--tick-end)", "checkpoint: start, end"),
    swatch("var(--tick-interval)", "by distance"),
    swatch("var(--tick-file)", "before a large file"),
    swatch("var(--tick-member)", "member or frame"),
    swatch("var(--bar-quiet)", "spans"),
    ...(hasProfile ? [swatch("var(--touched)", "touched by a recorded start")] : []),
    swatch("var(--bar)", "compressed bytes for each plain byte"),
  ];
  const cards = image.layers.map((layer, number) => {
    const { parts } = layers[number]!;
    const facts = `${text(layer.codec)}, ${formatBytes(layer.compressedBytes)}, ${formatBytes(layer.plainBytes)} ` +
      `unpacked; ${count(layer.checkpoints, "checkpoint")}, ${count(layer.spans, "span")}`;
    const strip = parts.length === 0 ? "" : `<div class="strip" tabindex="0" role="slider" data-layer="${number}"
data-output="layer-${number}-info" aria-label="Layer ${number} along its plain bytes" aria-valuemin="0"
aria-valuemax="${parts.length - 1}" aria-valuenow="0">${layerStrip(parts, layer.plainBytes)}</div>
<output id="layer-${number}-info" class="quiet"></output>`;
    return `<article class="card" aria-labelledby="layer-${number}">
<h3 id="layer-${number}"><span class="swatch" style="background:var(--l${
      number % LAYER_COLOURS
    })"></span>Layer ${number}
<code>${text(layer.digest)}</code></h3>
<p class="quiet">${facts}</p>
${strip}</article>`;
  });
  return `<section aria-labelledby="layers">
<h2 id="layers">Layers</h2>
<p class="quiet">Each picture is a layer from its first plain byte to its last. Left and right go from span to span.</p>
<div class="key">${key.join("")}</div>
${cards.join("\n")}
</section>`;
}

function partsSection({ table, sizeBytes }: Archive): string {
  const sections = [...Object.values(table.sections), ...(table.profile === undefined ? [] : [table.profile])];
  const rows = sections.map(({ name, storedBytes, plainBytes }) =>
    `<tr><td>${text(name)}</td>${number(formatBytes(storedBytes))}${number(share(storedBytes, sizeBytes))}` +
    `${number(formatBytes(plainBytes))}</tr>`
  );
  return `<section aria-labelledby="parts">
<h2 id="parts">Parts of the file</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Parts of the file"><table>
<thead><tr><th scope="col">Section</th><th scope="col" class="number">Stored</th><th scope="col" class="number">Of the
file</th><th scope="col" class="number">Unpacked</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>
</section>`;
}

/** A node as the script takes it: without names of fields, which would be most of the page. */
function asArray({ name, bytes, files, touchedBytes, layer, kind, children }: TreeSummary): unknown[] {
  const fields = [name, bytes, files, touchedBytes, layer, kind[0]];
  return children === undefined ? fields : [...fields, children.map(asArray)];
}

/** Text as HTML, with control characters shown as such. */
function text(plain: string): string {
  return displayByteString(utf8ToByteString(plain)).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function number(content: string): string {
  return `<td class="number">${content}</td>`;
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function share(part: number, whole: number): string {
  return whole === 0 ? "0 %" : `${(100 * part / whole).toFixed(part / whole < 0.1 ? 2 : 0)} %`;
}
