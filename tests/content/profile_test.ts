/** Profiles as text, translated for an archive, merged, and planned. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ClipError, type Digest, sha256 } from "../../src/base/mod.ts";
import { type Archive, MAX_PROFILE_RANGES, type ProfileRange } from "../../src/archive/mod.ts";
import {
  bindProfile,
  formatProfile,
  type LayerRange,
  mergeProfiles,
  parseProfile,
  planAll,
  planProfile,
  ProfileRecorder,
  profileStarts,
  type SpanRange,
} from "../../src/content/mod.ts";
import { directory, layer, openTree } from "../archive/model_builder.ts";

const { test } = Deno;
const digest = (name: string): Digest => sha256(new TextEncoder().encode(name));
const range = (diffId: Digest, plainOffset: number, plainEndExclusive: number): LayerRange => {
  return { diffId, plainOffset, plainEndExclusive };
};
const span = (layer: number, firstSpan: number, endSpan = firstSpan + 1): SpanRange => ({ layer, firstSpan, endSpan });

/** Two layers of spans of 1 KiB: of 512 bytes compressed, as the builder has it. */
function openSample(first = 64 * 1024, second = 10 * 1024): Promise<Archive> {
  return openTree(directory(), [layer(0, first), layer(1, second)]);
}

test("checkpoints for a profile: where it begins to read, not just behind what it has read", () => {
  const mib = 1 << 20;
  const [a, b] = [digest("a"), digest("b")];
  const profile = [
    range(a, 9 * mib, 10 * mib),
    range(b, 5 * mib, 6 * mib),
    range(a, 0, mib),
    range(a, 3 * mib, 4 * mib),
    range(a, 2 * mib, 5 * mib),
    range(a, 5 * mib + 200_000, 6 * mib),
  ];
  assert.deepEqual([...profileStarts(profile)], [[a, [2 * mib, 9 * mib]], [b, [5 * mib]]]);
  assert.deepEqual([...profileStarts([])], []);
});

test("a profile is read as it was written", () => {
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.nat(), fc.integer({ min: 1, max: 2 ** 40 })), { maxLength: 100 }),
    (list) => {
      const ranges = list.map(([name, at, length]) => range(digest(name), at, at + length));
      const text = formatProfile(ranges);
      assert.deepEqual(parseProfile(text, "p"), ranges);
      assert(text.split("\n").every((line) => line.length < 700));
    },
  ));
  assert.equal(formatProfile([]), '{"clipProfile":1}\n');
  const text = `{"clipProfile":1}\n{"diffId":"${digest("a")}","ranges":[[0,10],[20,30]]}\n`;
  assert.equal(formatProfile([range(digest("a"), 0, 10), range(digest("a"), 20, 30)]), text);
});

test("fields that are not known are passed over, and so are empty lines", () => {
  const text = `{"clipProfile":1,"image":"x"}\n\n{"diffId":"${digest("a")}","ranges":[[0,10]],"file":"/bin/sh"}\n\n`;
  assert.deepEqual(parseProfile(text, "p"), [range(digest("a"), 0, 10)]);
});

test("what is no profile is refused, by line", () => {
  const head = '{"clipProfile":1}\n';
  const line = (ranges: string) => `${head}{"diffId":"${digest("a")}","ranges":${ranges}}\n`;
  const wrong: [string, RegExp][] = [
    ["", /profile p: bad line 1: .*this is no profile/],
    ["\x89CLIP\r\n", /bad line 1/],
    ["{}", /bad line 1: .*this is no profile/],
    ['{"clipProfile":"1"}', /bad line 1/],
    ['{"clipProfile":2}', /profile version 2, this clip reads 1/],
    [`${head}x`, /bad line 2: expected a JSON object/],
    [`${head}[]`, /bad line 2/],
    [`${head}{"diffId":"sha256:0","ranges":[]}`, /bad diffId in line 2/],
    [`${head}{"ranges":[]}`, /bad diffId in line 2/],
    [line("{}"), /bad ranges in line 2/],
    ...[
      "[0]",
      "[[0]]",
      "[[0,0]]",
      "[[5,4]]",
      "[[-1,4]]",
      "[[0,1.5]]",
      "[[0,9007199254740992]]",
      '[["0",1]]',
      "[[0,1,2]]",
    ]
      .map((ranges) => [line(ranges), /bad range in line 2/] as [string, RegExp]),
    [line(`[${Array(MAX_PROFILE_RANGES + 1).fill("[0,1]").join(",")}]`), /more than 65536 ranges/],
    [head + line(`[${Array(60_000).fill("[0,1]").join(",")}]`).slice(head.length).repeat(2), /more than 65536 ranges/],
  ];
  for (const [text, message] of wrong) {
    assert.throws(
      () => parseProfile(text, "p"),
      (error) => error instanceof ClipError && message.test(error.message),
      text.slice(0, 80),
    );
  }
});

test("for an archive: layers by diffId, cut at the layer's end; what it has not is left out and told of", async () => {
  const archive = await openSample();
  const [first, second] = archive.image.layers.map(({ diffId }) => diffId) as [Digest, Digest];
  const bound = bindProfile(archive, [
    range(second, 100, 200),
    range(digest("other"), 0, 1),
    range(first, 0, 10 ** 12),
    range(digest("other"), 5, 6),
    range(first, 10 ** 12, 10 ** 13),
    range(second, 10 * 1024 - 1, 10 * 1024),
  ]);
  assert.deepEqual(bound, {
    ranges: [
      { layer: 1, plainOffset: 100, plainEndExclusive: 200 },
      { layer: 0, plainOffset: 0, plainEndExclusive: 64 * 1024 },
      { layer: 1, plainOffset: 10 * 1024 - 1, plainEndExclusive: 10 * 1024 },
    ],
    unknownLayers: [digest("other")],
    outside: 2,
  });
});

test("a recording names what was touched, in order, runs of neighbours together, until it is stopped", async () => {
  const archive = await openSample();
  const [first, second] = archive.image.layers.map(({ diffId }) => diffId) as [Digest, Digest];
  const recorder = new ProfileRecorder(archive);
  const touch = (layer: number, span: number) => recorder.onFirstTouch(layer, archive.layers.firstSpan[layer]! + span);
  for (const [layer, span] of [[0, 3], [0, 4], [1, 9], [0, 5], [0, 2]]) touch(layer!, span!);
  recorder.stop();
  touch(0, 60);
  assert.equal(recorder.touches, 5);
  assert.deepEqual(recorder.profile, [
    range(first, 3 * 1024, 5 * 1024),
    range(second, 9 * 1024, 10 * 1024),
    range(first, 5 * 1024, 6 * 1024),
    range(first, 2 * 1024, 3 * 1024),
  ]);
});

test("merging keeps the order and drops what a range before has", async () => {
  const archive = await openSample();
  const a = [{ layer: 0, plainOffset: 5000, plainEndExclusive: 5001 }, {
    layer: 1,
    plainOffset: 0,
    plainEndExclusive: 1,
  }];
  const b = [{ layer: 0, plainOffset: 4096, plainEndExclusive: 5120 }, {
    layer: 0,
    plainOffset: 0,
    plainEndExclusive: 5000,
  }];
  assert.deepEqual(mergeProfiles(archive, [a, b]), [...a, b[1]]);
  assert.deepEqual(mergeProfiles(archive, [b, a]), [b[0], b[1], a[1]]);
  assert.deepEqual(mergeProfiles(archive, []), []);
});

test("a plan: neighbours together, small holes along, each span once, by what was wanted first", async () => {
  const { layers } = await openSample();
  const ranges = (...spans: [number, number][]): ProfileRange[] =>
    spans.map(([layer, span]) => ({ layer, plainOffset: span * 1024, plainEndExclusive: span * 1024 + 1 }));
  const plan = planProfile(layers, ranges([1, 9], [0, 20], [0, 3], [0, 20], [0, 4], [1, 8]));
  // 16 spans of 512 bytes lie between 4 and 20: fetched along.
  assert.deepEqual(plan, [span(1, 64 + 8, 64 + 10), span(0, 3, 21)]);
  assert.deepEqual(planProfile(layers, []), []);
  assert.deepEqual(planProfile(layers, [{ layer: 0, plainOffset: 1023, plainEndExclusive: 2049 }]), [span(0, 0, 3)]);
  assert.deepEqual(planAll(layers), [span(0, 0, 64), span(1, 64, 74)]);
});

test("large holes stay, and later batches do not wait for earlier ones to grow", async () => {
  // 8 MiB of spans of 1 KiB, half of that compressed: the first batch is full after 2,048 of them.
  const { layers } = await openSample(8 * 1024 * 1024);
  const at = (first: number, end: number): ProfileRange => {
    return { layer: 0, plainOffset: first * 1024, plainEndExclusive: end * 1024 };
  };
  assert.deepEqual(planProfile(layers, [at(0, 1), at(1000, 1001)]), [span(0, 0, 1), span(0, 1000, 1001)]);
  assert.deepEqual(planProfile(layers, [at(0, 1), at(257, 258)]), [span(0, 0, 258)], "a hole of 128 KiB");
  assert.deepEqual(planProfile(layers, [at(0, 1), at(258, 259)]), [span(0, 0, 1), span(0, 258, 259)]);
  // The second batch, of 2 MiB, is full before the last range is through.
  assert.deepEqual(planProfile(layers, [at(4000, 6100), at(3000, 3001), at(6100, 6200), at(0, 8192)]), [
    span(0, 4000, 6100),
    span(0, 0, 4000),
    span(0, 6100, 6200),
    span(0, 6200, 8192),
  ]);
});

test("any profile's plan holds every span that it touches once, and nothing twice", async () => {
  const { layers } = await openSample(1024 * 1024);
  const spans = layers.firstSpan[2]!;
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.constantFrom(0, 1), fc.nat(1023), fc.nat(40)), { maxLength: 60 }),
    (list) => {
      const ranges = list.map(([layer, first, more]) => {
        const end = layers.layerPlainBytes[layer]!;
        const plainOffset = Math.min(first * 1024, end - 1);
        return { layer, plainOffset, plainEndExclusive: Math.min(end, plainOffset + 1 + more * 512) };
      });
      const seen = new Uint8Array(spans);
      for (const { layer, firstSpan, endSpan } of planProfile(layers, ranges)) {
        assert(layers.firstSpan[layer]! <= firstSpan && firstSpan < endSpan && endSpan <= layers.firstSpan[layer + 1]!);
        for (let span = firstSpan; span < endSpan; span++) assert.equal(seen[span]!++, 0);
      }
      for (const { layer, plainOffset, plainEndExclusive } of ranges) {
        for (const at of [plainOffset, plainEndExclusive - 1]) assert.equal(seen[layers.spanAt(layer, at)], 1);
      }
    },
  ));
});

test("ranges that are there again and again cost one look each", async () => {
  const archive = await openSample(2 * 1024 * 1024);
  const whole = { layer: 0, plainOffset: 0, plainEndExclusive: 2 * 1024 * 1024 };
  const ranges = Array.from({ length: MAX_PROFILE_RANGES }, () => whole);
  assert.deepEqual(planProfile(archive.layers, ranges), [span(0, 0, 2048)]);
  assert.deepEqual(mergeProfiles(archive, [ranges, ranges]), [whole]);
});
