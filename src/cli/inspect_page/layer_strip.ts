import { KIND_NAMES, type LayerPart } from "./summarize_layer.ts";

/** Width of the picture in its own units; it is stretched over the page. */
const WIDTH = 1000;
const HEIGHT = 84;
/** Where checkpoints, spans and compressed bytes are drawn. */
const TICKS = { top: 0, height: 18 };
const SPANS = { top: 21, height: 26 };
const COMPRESSED = { top: 50, height: 34 };
const TICK_COLOURS: Readonly<Record<string, string>> = {
  interval: "var(--tick-interval)",
  file: "var(--tick-file)",
  member: "var(--tick-member)",
};

/** A layer along its plain bytes as SVG: its checkpoints, its spans and what a start touched of them, how well it packs. */
export function layerStrip(parts: readonly LayerPart[], plainBytes: number): string {
  const x = (offset: number) => round(WIDTH * offset / plainBytes);
  const densest = Math.max(...parts.map(({ compressedBytes, plainBytes }) => compressedBytes / plainBytes), 1e-9);
  let ticks = "";
  let spans = "";
  let packed = "";
  parts.forEach(({ plainOffset, plainBytes: length, compressedBytes, touchedBytes, kinds }, at) => {
    const left = x(plainOffset);
    const width = round(Math.max(x(plainOffset + length) - left, 0.3));
    const shade = at % 2 === 0 ? "" : ' fill-opacity=".72"';
    spans += rect(left, SPANS.top, width, SPANS.height, `fill="var(--bar-quiet)"${shade}`);
    if (touchedBytes > 0) {
      const height = round(Math.max(2, SPANS.height * touchedBytes / length));
      spans += rect(left, SPANS.top + SPANS.height - height, width, height, 'fill="var(--touched)"');
    }
    const height = round(COMPRESSED.height * compressedBytes / length / densest);
    packed += rect(left, COMPRESSED.top + COMPRESSED.height - height, width, height, 'fill="var(--bar)"');
    KIND_NAMES.forEach((name, kind) => {
      if ((kinds[kind] ?? 0) === 0) return;
      const colour = TICK_COLOURS[name] ?? "var(--tick-end)";
      const tickHeight = name === "interval" ? TICKS.height * 0.55 : TICKS.height;
      const place = name === "final" ? WIDTH - 1.6 : left;
      ticks += rect(place, TICKS.top + TICKS.height - tickHeight, 1.6, tickHeight, `fill="${colour}"`);
    });
  });
  const cursor = `<rect class="cursor" x="0" y="0" width="2" height="${HEIGHT}" fill="none" stroke="var(--focus)" ` +
    `stroke-width="2" vector-effect="non-scaling-stroke" visibility="hidden"/>`;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">` +
    `${ticks}${spans}${packed}${cursor}</svg>`;
}

function rect(x: number, y: number, width: number, height: number, paint: string): string {
  return `<rect x="${x}" y="${round(y)}" width="${width}" height="${round(height)}" ${paint}/>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
