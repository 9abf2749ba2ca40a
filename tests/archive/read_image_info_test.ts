import assert from "node:assert/strict";
import { type ImageInfo, MAX_LAYERS } from "../../src/archive/mod.ts";
import { sampleArchive } from "./model_builder.ts";
import { refuses, type Sections, setText, tampered } from "./signed.ts";

const SAMPLE = sampleArchive();

type Json = Record<string, unknown>;

/** Changes the image section as an object. */
function edit(change: (image: Json) => void) {
  return (sections: Sections) => {
    const image = JSON.parse(new TextDecoder().decode(sections.image)) as Json;
    change(image);
    setText(sections, JSON.stringify(image));
  };
}

Deno.test("the image section is JSON, its fields named as in docs/format.md and in that order", () => {
  tampered(SAMPLE, ({ image: bytes }) => {
    const image = JSON.parse(new TextDecoder().decode(bytes)) as ImageInfo;
    const head = "source platform manifestDigest manifestMediaType configDigest options layers";
    assert.equal(Object.keys(image).join(" "), head);
    assert.equal(Object.keys(image.platform).join(" "), "os architecture variant");
    assert.equal(Object.keys(image.options).join(" "), "strategy spacingBytes fileCheckpointBytes");
    assert.equal(image.layers.length, 3);
    const layer = "digest diffId mediaType codec compressedBytes plainBytes checkpoints spans";
    for (const info of image.layers) assert.equal(Object.keys(info).join(" "), layer);
  });
});

Deno.test("what is not JSON, or no object, is refused", async () => {
  const texts = ["", "{", "null", "[]", "7", `"text"`, "{}", "{}x", `{"platform":{}}`, "[".repeat(100_000)];
  for (const text of texts) {
    const bytes = tampered(SAMPLE, (sections) => setText(sections, text));
    await refuses(bytes, /^image( section|\.\w+|)$/);
  }
  await refuses(tampered(SAMPLE, ({ image }) => void (image[20] = 0xff)), /^image section$/);
});

Deno.test("each field, left out or of another type, is named", async () => {
  const values = [undefined, null, true, -1, 1.5, "", "some", "\u001b[31m\u202e", [], {}, [{}], 2 ** 53, 1e300];
  const fields: [string, (image: Json) => Json, readonly unknown[]][] = [
    ["source", (image) => image, ["", "some", "\u001b[31m\u202e"]],
    ["platform", (image) => image, []],
    ["manifestDigest", (image) => image, []],
    ["manifestMediaType", (image) => image, ["", "some", "\u001b[31m\u202e"]],
    ["configDigest", (image) => image, []],
    ["options", (image) => image, []],
    ["layers", (image) => image, []],
    ["os", (image) => image.platform as Json, ["", "some", "\u001b[31m\u202e"]],
    ["architecture", (image) => image.platform as Json, ["", "some", "\u001b[31m\u202e"]],
    ["variant", (image) => image.platform as Json, [undefined, "", "some", "\u001b[31m\u202e"]],
    ["spacingBytes", (image) => image.options as Json, []],
    ["fileCheckpointBytes", (image) => image.options as Json, [null]],
    ...["digest", "diffId", "mediaType", "codec", "compressedBytes", "plainBytes", "checkpoints", "spans"].map((
      field,
    ): [string, (image: Json) => Json, readonly unknown[]] => [
      field,
      (image) => (image.layers as Json[])[1]!,
      field === "mediaType" || field === "codec" ? ["", "some", "\u001b[31m\u202e"] : [],
    ]),
  ];
  for (const [field, holder, sound] of fields) {
    for (const value of values) {
      if (sound.includes(value)) continue;
      // An empty list of layers is a list; it is the sections that contradict it.
      if (field === "layers" && Array.isArray(value)) continue;
      const bytes = tampered(SAMPLE, edit((image) => holder(image)[field] = value));
      await refuses(bytes, new RegExp(`(^|\\.)${field}(\\.|$)`));
    }
  }
});

Deno.test("a message about a field quotes no more than a line, whatever the field holds", async () => {
  const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  for (const value of [deep, `"${"x".repeat(1_000_000)}"`, `{"a":${deep}}`]) {
    const bytes = tampered(SAMPLE, (sections) => {
      const text = new TextDecoder().decode(sections.image);
      setText(sections, text.replace(/"manifestDigest":"[^"]*"/, `"manifestDigest":${value}`));
    });
    const error = await refuses(bytes, /^image\.manifestDigest$/);
    assert.match(error.message, /found (a list|an object|"x{160}…?"…?), expected sha256:/);
  }
});

Deno.test("names that every object has are no fields", async () => {
  const bytes = tampered(SAMPLE, (sections) => {
    const text = new TextDecoder().decode(sections.image).replace(`"source":`, `"__proto__":{"source":"x"},"sourc":`);
    setText(sections, text);
  });
  await refuses(bytes, /^image\.source$/);
});

Deno.test("more layers than any image has are refused before they are looked at", async () => {
  const bytes = tampered(SAMPLE, edit((image) => image.layers = Array.from({ length: MAX_LAYERS + 1 }, () => 0)));
  await refuses(bytes, /^layer count$/);
});
