import { LAYER_COLOURS } from "./page_style.ts";

/**
 * What makes the page answer keys and the mouse. It has to be text, since it runs in a browser. Names reach the page as
 * text alone, never as HTML.
 */
export const PAGE_SCRIPT = String.raw`
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const node = ([name, bytes, files, touchedBytes, layer, kind, children]) =>
  ({ name, bytes, files, touchedBytes, layer, kind, children: children?.map(node) });
data.tree = node(data.tree);
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const format = (bytes) => {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) { bytes /= 1024; unit++; }
  return (unit === 0 ? String(bytes) : bytes.toFixed(1)) + " " + UNITS[unit];
};
const percent = (part, whole) => whole === 0 ? "0 %" : (100 * part / whole).toFixed(part > 0 && part / whole < 0.1 ? 1 : 0) + " %";
const count = (number, noun) => number.toLocaleString("en") + " " + noun + (number === 1 ? "" : "s");
const make = (name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

/* The treemap. Source: Bruls, Huizing, van Wijk: Squarified Treemaps (2000). */
function squarify(unordered, box) {
  const nodes = [...unordered].sort((a, b) => b.bytes - a.bytes);
  const placed = [];
  let { x, y, width, height } = box;
  let left = nodes.reduce((sum, node) => sum + node.bytes, 0);
  let at = 0;
  while (at < nodes.length && left > 0 && width > 0.5 && height > 0.5) {
    const area = width * height / left;
    const side = Math.min(width, height);
    let sum = 0, worst = Infinity, end = at;
    while (end < nodes.length) {
      const next = sum + nodes[end].bytes;
      const row = next * area / side;
      const ratio = Math.max(row * row / (nodes[at].bytes * area), nodes[end].bytes * area / (row * row) || Infinity,
        nodes[at].bytes * area / (row * row));
      if (end > at && ratio > worst) break;
      worst = ratio; sum = next; end++;
    }
    const depth = sum * area / side;
    let along = 0;
    for (let i = at; i < end; i++) {
      const length = nodes[i].bytes * area / depth;
      placed.push(width >= height
        ? { node: nodes[i], x, y: y + along, width: depth, height: length }
        : { node: nodes[i], x: x + along, y, width: length, height: depth });
      along += length;
    }
    if (width >= height) { x += depth; width -= depth; } else { y += depth; height -= depth; }
    left -= sum; at = end;
  }
  return placed;
}

const map = document.getElementById("treemap");
const info = document.getElementById("treemap-info");
const crumbs = document.querySelector("#crumbs ol");
let way = [data.tree];
const colourBy = () => document.querySelector("input[name=colour]:checked").value;
const colour = (node) => {
  if (colourBy() === "touched") {
    const share = node.bytes === 0 ? 0 : node.touchedBytes / node.bytes;
    return "color-mix(in srgb, var(--touched) " + Math.round(share * 42 + (share > 0 ? 6 : 0)) + "%, var(--lx))";
  }
  return node.layer < 0 ? "var(--lx)" : "var(--l" + node.layer % ${LAYER_COLOURS} + ")";
};
const describe = (node) => {
  const parent = way[way.length - 1];
  const kind = node.kind === "r" ? count(node.files, "file") : node.kind === "d"
    ? "directory of " + count(node.files, "file") : "file";
  return node.name + ": " + format(node.bytes) + ", " + percent(node.bytes, parent.bytes) + " of " + parent.name + "; " + kind +
    (node.layer < 0 ? "" : "; mostly layer " + node.layer) +
    (data.hasProfile ? "; " + format(node.touchedBytes) + " touched at start" : "");
};
const canOpen = (node) => node.children !== undefined && node.children.length > 0;

function tile({ node, x, y, width, height }) {
  const button = make("button", canOpen(node) ? "tile open" : "tile");
  Object.assign(button.style, { left: x + "px", top: y + "px", width: width + "px", height: height + "px" });
  button.style.background = colour(node);
  button.setAttribute("aria-label", describe(node) + (canOpen(node) ? "; press Enter to look into it" : ""));
  button.title = describe(node);
  button.tabIndex = -1;
  if (canOpen(node) && width > 60 && height > 60) {
    for (const part of squarify(node.children, { x: 3, y: 34, width: width - 8, height: height - 39 })) {
      if (part.width < 3 || part.height < 3) continue;
      const inner = make("span", "inner");
      inner.setAttribute("aria-hidden", "true");
      Object.assign(inner.style, { left: part.x + "px", top: part.y + "px", width: part.width + "px", height: part.height + "px" });
      inner.style.background = colour(part.node);
      if (part.width > 40 && part.height > 18) inner.textContent = part.node.name;
      button.append(inner);
    }
  }
  if (width > 44 && height > 20) button.append(make("b", "name", node.name));
  if (width > 44 && height > 36) button.append(make("small", "", format(node.bytes)));
  button.addEventListener("focus", () => { select(button); info.textContent = describe(node); });
  button.addEventListener("pointerenter", () => { info.textContent = describe(node); });
  button.addEventListener("click", () => { if (canOpen(node)) show([...way, node], 0); });
  return button;
}

function select(button) {
  for (const other of map.children) other.tabIndex = other === button ? 0 : -1;
}

function show(next, focus) {
  way = next;
  const node = way[way.length - 1];
  const box = { x: 0, y: 0, width: map.clientWidth, height: map.clientHeight };
  const placed = squarify((node.children ?? []).filter(({ bytes }) => bytes > 0), box);
  map.replaceChildren(...placed.filter(({ width, height }) => width >= 1 && height >= 1).map(tile));
  map.setAttribute("aria-label", "Files of " + way.map(({ name }) => name).join(" / ") + " by size");
  crumbs.replaceChildren(...way.map((step, depth) => {
    const button = make("button", "name", step.name);
    if (depth === way.length - 1) button.setAttribute("aria-current", "page");
    button.addEventListener("click", () => show(way.slice(0, depth + 1), 0));
    const item = make("li");
    item.append(button);
    return item;
  }));
  const from = typeof focus === "object" ? placed.findIndex((one) => one.node === focus) : focus;
  const button = map.children[Math.max(0, from ?? 0)];
  if (button !== undefined) select(button);
  if (focus !== undefined && button !== undefined) button.focus();
  else info.textContent = node.name + ": " + format(node.bytes) + " in " + count(node.files, "file");
}

const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
map.addEventListener("keydown", (event) => {
  if (event.key === "Escape" || event.key === "Backspace") {
    if (way.length > 1) { const from = way[way.length - 1]; show(way.slice(0, -1), from); event.preventDefault(); }
    return;
  }
  const tiles = [...map.children];
  if (event.key === "Home" || event.key === "End") {
    tiles.at(event.key === "Home" ? 0 : -1)?.focus();
    return event.preventDefault();
  }
  const step = STEPS[event.key];
  const here = document.activeElement.getBoundingClientRect();
  if (step === undefined || document.activeElement.parentNode !== map) return;
  event.preventDefault();
  const middle = (box) => [box.left + box.width / 2, box.top + box.height / 2];
  const [x, y] = middle(here);
  let best, least = Infinity;
  for (const other of tiles) {
    const [otherX, otherY] = middle(other.getBoundingClientRect());
    const forward = (otherX - x) * step[0] + (otherY - y) * step[1];
    const aside = Math.abs((otherX - x) * step[1] + (otherY - y) * step[0]);
    if (forward > 1 && forward + 3 * aside < least) { least = forward + 3 * aside; best = other; }
  }
  best?.focus();
});
for (const input of document.querySelectorAll("input[name=colour]")) input.addEventListener("change", () => show(way));
new ResizeObserver(() => { if (map.contains(document.activeElement) === false) show(way); }).observe(map);

/* The strips: one cursor for each, moved by keys or the mouse. */
document.querySelectorAll(".strip").forEach((strip) => {
  const layer = data.layers[Number(strip.dataset.layer)];
  const output = document.getElementById(strip.dataset.output);
  const cursor = strip.querySelector(".cursor");
  const last = layer.parts.length - 1;
  const move = (to) => {
    const at = Math.max(0, Math.min(last, to));
    const part = layer.parts[at];
    const spans = part.spans === 1 ? "span " + part.span : "spans " + part.span + " to " + (part.span + part.spans - 1);
    const kinds = part.kinds.map((number, kind) => number === 0 ? "" : number + " " + data.kinds[kind]).filter(Boolean).join(", ");
    const text = spans + " of " + layer.spans + ": plain bytes " + format(part.plainOffset) + " to " +
      format(part.plainOffset + part.plainBytes) + ", " + format(part.compressedBytes) + " compressed" +
      (kinds === "" ? "" : "; checkpoints: " + kinds) +
      (data.hasProfile ? "; " + percent(part.touchedBytes, part.plainBytes) + " touched at start" : "");
    strip.setAttribute("aria-valuenow", at);
    strip.setAttribute("aria-valuetext", text);
    output.textContent = text;
    cursor.setAttribute("x", 1000 * part.plainOffset / layer.plainBytes);
    cursor.setAttribute("width", Math.max(2, 1000 * part.plainBytes / layer.plainBytes));
    cursor.setAttribute("visibility", "visible");
  };
  const now = () => Number(strip.getAttribute("aria-valuenow"));
  const page = Math.max(1, Math.round(last / 10));
  const keys = { ArrowRight: () => now() + 1, ArrowUp: () => now() + 1, ArrowLeft: () => now() - 1, ArrowDown: () => now() - 1,
    PageUp: () => now() + page, PageDown: () => now() - page, Home: () => 0, End: () => last };
  strip.addEventListener("keydown", (event) => {
    if (keys[event.key] === undefined) return;
    event.preventDefault();
    move(keys[event.key]());
  });
  strip.addEventListener("focus", () => move(now()));
  strip.addEventListener("pointermove", (event) => {
    const box = strip.getBoundingClientRect();
    const plain = (event.clientX - box.left) / box.width * layer.plainBytes;
    let at = layer.parts.findIndex((part) => part.plainOffset + part.plainBytes > plain);
    if (at < 0) at = last;
    move(at);
  });
});
show(way);
`;
