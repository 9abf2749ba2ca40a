/** The page of clip inspect --html: what is in it, and how it is used, in a real browser. */
import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";
import { withProfile } from "../../src/archive/mod.ts";
import { archiveBytes, contents, directory, file, join, layer } from "../archive/model_builder.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import { e2eTest } from "../e2e/workbench.ts";
import { fail, succeed } from "./fake_io.ts";

const { test } = Deno;
const LAYER_BYTES = 2 ** 22;
const HOSTILE = "<!--<script><img src=x onerror=alert(1)>\x1b[31m";

/** An archive of 100,000 files in 9 layers, the lowest of 4,096 spans, some of them with a profile; its path. */
async function writeArchive(folder: string): Promise<string> {
  const some = (count: number, bytes: number, layer: number) => {
    const data = (at: number) => ({ layer, plainOffset: (at * bytes) % (LAYER_BYTES / 4) });
    return Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, file(bytes, data(at))]));
  };
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`d${at}`, directory(some(900, 20, at % 9))]));
  const root = directory({
    usr: directory({ ...many, lib: directory(some(10_000, 45, 0)) }),
    bin: directory({ tool: file(LAYER_BYTES / 4, { layer: 0, plainOffset: 0 }), empty: file() }),
    [HOSTILE]: file(200_000, { layer: 1, plainOffset: 0 }),
    dev: directory(),
  });
  const layers = [
    layer(0, LAYER_BYTES),
    ...Array.from({ length: 8 }, (_, at) => {
      return layer(at + 1, LAYER_BYTES / 4, { spanBytes: 65_536 });
    }),
  ];
  const source = memoryRangeSource(archiveBytes(contents(root, layers)));
  const profile = [{ layer: 0, plainOffset: 1000, plainEndExclusive: 400_000 }, {
    layer: 1,
    plainOffset: 0,
    plainEndExclusive: 10,
  }];
  const path = `${folder}/many.clip`;
  await Deno.writeFile(path, join(await Array.fromAsync(withProfile(source, profile))));
  return path;
}

/** Everything that the browser complains of, or asks for beyond the page itself. */
function watch(page: Page): string[] {
  const seen: string[] = [];
  page.on("console", (message) => seen.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.push(String(error)));
  page.on("dialog", (dialog) => seen.push(dialog.message()));
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url()) || request.url().endsWith("/x")) seen.push(request.url());
  });
  return seen;
}

async function followByKeyboard(page: Page): Promise<void> {
  const focused = () => page.locator(":focus");
  const name = async () => await focused().getAttribute("aria-label") ?? "";
  await page.keyboard.press("Tab");
  assert.equal(await focused().getAttribute("value"), "layer");
  await page.keyboard.press("ArrowRight");
  assert(await page.getByRole("radio", { name: /recorded start/ }).isChecked());
  await page.keyboard.press("Tab");
  assert.equal(await focused().textContent(), "/");
  await page.keyboard.press("Tab");
  assert.match(await name(), /^usr: 2\.1 MiB, .* of \/; directory of 100,000 files;.*; press Enter to look into it$/);
  assert.match(await page.locator("#treemap-info").textContent() ?? "", /^usr: 2\.1 MiB/);
  await page.keyboard.press("ArrowRight");
  assert.match(await name(), /^bin: 1\.0 MiB/);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  assert.match(await name(), /^lib: 439\.5 KiB, .* of usr; directory of 10,000 files; mostly layer 0; /);
  await page.keyboard.press("Enter");
  assert.match(await page.locator("#crumbs").textContent() ?? "", /^\/usrlib$/);
  await page.keyboard.press("End");
  await page.keyboard.press("Home");
  assert.match(await name(), /^9920 smaller entries: .*; 9,920 files; /);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  assert.match(await name(), /^usr: /, "back where it came from");
  await page.keyboard.press("Tab");
  assert.equal(await name(), "Files touched by a recorded start");
  await page.keyboard.press("Tab");
  assert.equal(await focused().getAttribute("role"), "slider");
  for (const key of ["End", "Home", "PageUp", "ArrowRight"]) await page.keyboard.press(key);
  const value = await focused().getAttribute("aria-valuetext") ?? "";
  assert.match(value, /^spans \d+ to \d+ of 4096: plain bytes .* compressed; checkpoints: 5 interval; 0 % touched/);
  assert.equal(await page.locator("#layer-0-info").textContent(), value);
}

async function readPage(page: Page): Promise<void> {
  assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
  assert.equal(await page.getByRole("slider").count(), 9);
  const text = await page.locator("body").innerText();
  for (const part of [/100003 files/, /2 ranges of 389\.7 KiB/, /\/bin\/tool\s+389\.6 KiB\s+1\.00 MiB/, /profile/]) {
    assert.match(text, part);
  }
  const hostile = page.getByRole("button", { name: /^<!--<script><img/ });
  assert.match(
    await hostile.getAttribute("aria-label") ?? "",
    /^<!--<script><img src=x onerror=alert\(1\)>\\x1b\[31m: /,
  );
  // Whatever can be focused has a name that is read out.
  const unnamed = await page.evaluate(`[...document.querySelectorAll("button, input, [tabindex]")].filter((element) =>
    !(element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent).trim()).length`);
  assert.equal(unnamed, 0);
}

/** The least contrast of text on what lies behind it. Source: WCAG 2.2, "contrast ratio". */
const LEAST_CONTRAST = `(() => {
  const parse = (colour) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const rgb = parse(getComputedStyle(at).backgroundColor);
      if (rgb[3] === 255) return rgb;
    }
  };
  return Math.min(...[...document.querySelectorAll("h1, h2, h3, p, dt, dd, td, th, label, legend, .key span, .tile b, .inner")]
    .filter((element) => element.textContent.trim() !== "").map((element) => {
      const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    }));
})()`;

e2eTest(
  "inspect --html: read, followed by keyboard, light and dark, no error and no request",
  ["chromium"],
  async (bench) => {
    const archive = await writeArchive(bench.folder);
    const html = bench.path("page.html");
    assert.equal(await succeed(["inspect", "--html", html, archive]), "");
    assert((await Deno.stat(html)).size < 1_500_000, "as large for 100,000 files as for 10,000");
    const source = await Deno.readTextFile(html);
    assert.doesNotMatch(source, /(?:src|href)="(?!data:)/);
    const browser: Browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    try {
      for (const colorScheme of ["light", "dark"] as const) {
        const page = await browser.newPage({ colorScheme, viewport: { width: 1200, height: 900 } });
        const seen = watch(page);
        await page.goto(`file://${html}`);
        await readPage(page);
        await followByKeyboard(page);
        const contrast = await page.evaluate(LEAST_CONTRAST) as number;
        assert(contrast >= 4.5, `${colorScheme}: contrast ${contrast}`);
        const shots = Deno.env.get("CLIP_SCREENSHOTS");
        if (shots !== undefined) await page.screenshot({ path: `${shots}/inspect-${colorScheme}.png`, fullPage: true });
        await page.setViewportSize({ width: 380, height: 700 });
        assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 380, "no sideways scrolling");
        assert.deepEqual(seen, []);
        await page.close();
      }
    } finally {
      await browser.close();
    }
  },
);

test("inspect --html: not with --json, and a folder that is not there is said", async () => {
  const folder = await Deno.makeTempDir({ prefix: "clip-page-" });
  try {
    const path = `${folder}/small.clip`;
    await Deno.writeFile(path, archiveBytes(contents(directory({ only: directory() }))));
    assert.match(await fail(["inspect", "--json", "--html", "x.html", path], 2), /not both/);
    assert.match(await fail(["inspect", "--html", `${folder}/no/x.html`, path], 1), /cannot write .*x\.html/);
    assert.equal(await succeed(["inspect", "--html", `${folder}/x.html`, path]), "");
    const page = await Deno.readTextFile(`${folder}/x.html`);
    assert.doesNotMatch(page, /What a recorded start/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
