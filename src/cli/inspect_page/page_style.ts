/** Number of colours for layers; further layers take them again. */
export const LAYER_COLOURS = 8;

/** The page's style, light and dark by what the reader's system asks for. Tiles are pale, so that ink is read on them. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --ink: #1d1f21; --quiet: #5b6067; --line: #d9dbde; --focus: #0b57d0;
  --bar: #7a8aa0; --bar-quiet: #d5dae1; --touched: #d9480f; --tick-file: #1864ab; --tick-interval: #5c940d;
  --tick-member: #862e9c; --tick-end: #1d1f21;
  --l0: #cfe2fb; --l1: #d3f0cf; --l2: #fde3b8; --l3: #eed6f7; --l4: #c9efee; --l5: #fbd5d2; --l6: #e7e3c0; --l7: #dcdfe4;
  --lx: #eceef0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #151719; --card: #1d2023; --ink: #eceef0; --quiet: #a4abb3; --line: #3a3f45; --focus: #8ab4f8;
    --bar: #93a5be; --bar-quiet: #39414b; --touched: #ff8a4c; --tick-file: #74b3f0; --tick-interval: #a9d15c;
    --tick-member: #d49be6; --tick-end: #eceef0;
    --l0: #24446b; --l1: #24512a; --l2: #5f4413; --l3: #50305e; --l4: #185250; --l5: #672d2b; --l6: #4d4a1d; --l7: #41464d;
    --lx: #2b2f34;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main, header, footer { max-width: 1160px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
h1 { font-size: 1.35rem; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 36px 0 6px; }
h3 { font-size: 1rem; margin: 0 0 2px; overflow-wrap: anywhere; font-weight: 600; }
p { margin: 4px 0 10px; } .quiet, footer { color: var(--quiet); } footer { padding: 32px 20px 40px; }
code, .name { font-family: ui-monospace, monospace; font-size: .92em; unicode-bidi: isolate; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 12px 0; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 8px 0; } .scroll { overflow-x: auto; }
th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 500; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; margin: 12px 0; }
.swatch { display: inline-block; width: .85em; height: .85em; border-radius: 2px; border: 1px solid var(--line); margin-right: 6px; }
.key { display: flex; flex-wrap: wrap; gap: 4px 20px; color: var(--quiet); margin: 6px 0; font-size: .92em; }
.strip { display: block; width: 100%; height: 84px; border-radius: 4px; cursor: crosshair; }
.strip svg { display: block; width: 100%; height: 100%; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
output { display: block; min-height: 1.6em; margin-top: 8px; color: var(--ink); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: 2px; padding: 0; margin: 8px 0; }
nav li + li::before { content: "/"; color: var(--quiet); margin: 0 4px; }
nav button, fieldset label { font: inherit; color: inherit; }
nav button { background: none; border: 1px solid transparent; border-radius: 4px; padding: 2px 6px; cursor: pointer; text-decoration: underline; }
nav button[aria-current] { text-decoration: none; font-weight: 600; cursor: default; }
fieldset { border: 0; padding: 0; margin: 6px 0; display: flex; gap: 18px; flex-wrap: wrap; }
legend { float: left; padding: 0; margin-right: 14px; color: var(--quiet); }
#treemap { position: relative; height: 520px; background: var(--lx); border-radius: 6px; overflow: hidden; }
.tile { position: absolute; overflow: hidden; border: 2px solid var(--card); background: var(--lx); color: var(--ink);
  font: 12px/1.3 system-ui, sans-serif; text-align: left; padding: 3px 5px; border-radius: 3px; display: flex; flex-direction: column; align-items: flex-start;
  justify-content: flex-start; }
.tile:focus-visible { outline-offset: -3px; z-index: 1; } .tile.open { cursor: zoom-in; } .tile:not(.open) { cursor: default; }
.tile b { font-weight: 600; } .tile small { font-size: 11px; }
.tile b, .tile small, .inner { max-width: 100%; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.inner { position: absolute; border: 1px solid color-mix(in srgb, var(--ink) 22%, transparent); padding: 1px 4px;
  font-size: 11px; }
@media (prefers-reduced-motion: no-preference) { .tile { transition: opacity .15s; } }
section:has([value=touched]:checked) .layers { display: none; }
@media print { #treemap { height: 380px; } }
`;
