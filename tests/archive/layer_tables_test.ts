import assert from "node:assert/strict";
import {
  CHECKPOINT,
  CHECKPOINT_BYTES,
  compareArchives,
  openArchive,
  SPAN,
  type Span,
  SPAN_BYTES,
  spanAt,
  SpanList,
} from "../../src/archive/mod.ts";
import { sha256Bytes } from "../../src/base/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import {
  archiveBytes,
  contents,
  directory,
  layer,
  layerBytes,
  type LayerModel,
  openTree,
  sampleArchive,
  sampleLayers,
} from "./model_builder.ts";
import { openAndVerify, refuses, type Sections, setText, tampered } from "./signed.ts";

const SAMPLE = sampleArchive();

/** Fails unless the sample, after `tamper` and signed anew, is refused for `field`. */
async function refusesTampered(field: RegExp, tamper: (sections: Sections) => void): Promise<void> {
  await refuses(tampered(SAMPLE, tamper), field);
}

/** Sets a field of checkpoint `index`. */
function setCheckpoint(index: number, field: keyof typeof CHECKPOINT, value: bigint) {
  return (sections: Sections) => setField(sections.checkpoints, index * CHECKPOINT_BYTES, CHECKPOINT[field], value);
}

/** Sets a field of span `index`. */
function setSpan(index: number, field: keyof typeof SPAN, value: bigint) {
  return (sections: Sections) => setField(sections.spans, index * SPAN_BYTES, SPAN[field], value);
}

function setField(section: Uint8Array, record: number, { at, bytes }: { at: number; bytes: number }, value: bigint) {
  for (let i = 0; i < bytes; i++) section[record + at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

/** Changes the text of the image section. */
function editImage(from: string | RegExp, to: string) {
  return (sections: Sections) => {
    const text = new TextDecoder().decode(sections.image);
    assert.notEqual(text.replace(from, to), text);
    setText(sections, text.replace(from, to));
  };
}

Deno.test("checkpoints and spans come back as they went in, layer after layer", async () => {
  const layers = sampleLayers();
  const archive = await openArchive(memoryRangeSource(SAMPLE));
  const { layers: tables } = archive;
  assert.equal(tables.layerCount, 3);
  assert.deepEqual(tables.layerPlainBytes, [8192, 5000, 0]);
  assert.deepEqual([...tables.firstCheckpoint], [0, 9, 13, 15]);
  assert.deepEqual([...tables.firstSpan], [0, 8, 16, 16]);
  layers.flatMap(({ checkpoints }) => checkpoints).forEach(({ packedWindow, ...place }, index) => {
    const { groupOffset, groupStoredBytes, groupPlainBytes, groupCrc32, windowOffset, windowBytes, ...rest } = tables
      .checkpoint(index);
    assert.deepEqual(rest, place);
    assert.equal(windowBytes, packedWindow.length);
    if (windowBytes === 0) assert.deepEqual([groupOffset, groupStoredBytes, groupPlainBytes, groupCrc32], [0, 0, 0, 0]);
    else assert.ok(windowOffset + windowBytes <= groupPlainBytes && groupStoredBytes > 0);
  });
  layers.forEach(({ spans, info }, number) => {
    const plain = layerBytes(number, info.plainBytes);
    [...spans].forEach((span, index, all) => {
      const of = tables.firstSpan[number]! + index;
      const end = all[index + 1]?.plainOffset ?? info.plainBytes;
      assert.equal(tables.spanOffsets[of], span.plainOffset);
      assert.equal(tables.spanEnd(number, of), end);
      assert.equal(tables.spanCheckpoint(number, of), tables.firstCheckpoint[number]! + span.checkpoint);
      const digest = sha256Bytes(plain.subarray(span.plainOffset, end));
      assert.deepEqual(new Uint8Array(tables.spanDigest(of)), new Uint8Array(digest));
    });
  });
});

Deno.test("every plain byte is found in its span", async () => {
  const { layers: tables } = await openTree(directory(), sampleLayers());
  for (const number of [0, 1]) {
    for (let at = 0; at < tables.layerPlainBytes[number]!; at++) {
      const span = tables.spanAt(number, at);
      assert.ok(tables.spanOffsets[span]! <= at && at < tables.spanEnd(number, span));
      const { firstSpan } = tables;
      assert.equal(spanAt(tables.spanOffsets, firstSpan[number]!, firstSpan[number + 1]!, at), span);
    }
  }
});

Deno.test("span offsets are shared with other threads", async () => {
  const { layers: tables } = await openTree(directory());
  assert.ok(tables.spanOffsets.buffer instanceof SharedArrayBuffer);
});

Deno.test("checkpoints: start, order, bounds", async () => {
  await refusesTampered(/^checkpoints\[0\]\.plainOffset$/, setCheckpoint(0, "plainOffset", 1n));
  await refusesTampered(/^checkpoints\[9\]\.plainOffset$/, setCheckpoint(9, "plainOffset", 1n));
  await refusesTampered(/^checkpoints\[0\]\.compressedBitOffset$/, setCheckpoint(0, "compressedBitOffset", 8n));
  await refusesTampered(/^checkpoints\[0\]\.windowBytes$/, setCheckpoint(0, "windowBytes", 1n));
  await refusesTampered(/^checkpoints\[0\]\.prefixBytes$/, setCheckpoint(0, "prefixBytes", 1n));
  await refusesTampered(/^checkpoints\[0\]\.flags$/, setCheckpoint(0, "flags", 2n));
  for (const value of [0n, 1024n, 3072n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n]) {
    await refusesTampered(/^checkpoints\[[23]\]\.plainOffset$/, setCheckpoint(2, "plainOffset", value));
  }
  for (const value of [0n, 4095n, 12289n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n]) {
    await refusesTampered(/^checkpoints\[[23]\]\.compressedBitOffset$/, setCheckpoint(2, "compressedBitOffset", value));
  }
  const final = BigInt((20 + 4096) * 8);
  await refusesTampered(/^checkpoints\[8\]\.compressedBitOffset$/, setCheckpoint(8, "compressedBitOffset", final + 1n));
  await refusesTampered(/^checkpoints\[8\]\.plainOffset$/, setCheckpoint(8, "plainOffset", 8191n));
  await refusesTampered(/^checkpoints\[8\]\.plainOffset$/, setCheckpoint(8, "plainOffset", 8193n));
  await openAndVerify(tampered(SAMPLE, setCheckpoint(8, "compressedBitOffset", final - 1n)));
});

Deno.test("checkpoints: kind, flags, block, prefix", async () => {
  await refusesTampered(/^checkpoints\[3\]\.kind$/, setCheckpoint(3, "kind", 5n));
  await refusesTampered(/^checkpoints\[3\]\.flags$/, setCheckpoint(3, "flags", 4n));
  await refusesTampered(/^checkpoints\[3\]\.blockBitOffset$/, setCheckpoint(3, "blockBitOffset", 8n));
  await refusesTampered(/^checkpoints\[3\]\.blockBitOffset$/, (sections) => {
    setCheckpoint(3, "flags", 2n)(sections);
    setCheckpoint(3, "blockBitOffset", 2n ** 40n)(sections);
  });
  await refusesTampered(/^checkpoints\[3\]\.prefixBytes$/, setCheckpoint(3, "prefixBytes", 258n));
});

Deno.test("windows: outside the section or the group, too long, longer or shorter than said", async () => {
  for (const value of [10_000_000n, 2n ** 53n - 1n, 2n ** 53n]) {
    await refusesTampered(/^checkpoints\[3\]\.groupOffset$/, setCheckpoint(3, "groupOffset", value));
  }
  for (const value of [16_384n + 16_777_217n, 0xffffffffn]) {
    await refusesTampered(/^checkpoints\[3\]\.groupPlainBytes$/, setCheckpoint(3, "groupPlainBytes", value));
  }
  await refusesTampered(/^checkpoints\[3\]\.groupStoredBytes$/, setCheckpoint(3, "groupStoredBytes", 0xffffffffn));
  await refusesTampered(/^checkpoints\[3\]\.windowBytes$/, setCheckpoint(3, "windowBytes", 16_777_217n));
  await refusesTampered(/^checkpoints\[3\]\.windowOffset$/, setCheckpoint(3, "windowOffset", 60_000n));
  // Of the first with a window: neighbours have their group from it.
  for (const value of [2200n, 32_768n]) {
    await refusesTampered(/^window of checkpoint 1$/, setCheckpoint(1, "groupPlainBytes", value + 8000n));
  }
  for (const value of [0n, 1n]) {
    await refusesTampered(/^window of checkpoint 1$/, setCheckpoint(1, "groupStoredBytes", value));
  }
  await refusesTampered(
    /^window (length|block header length|gap|part length|number of parts)$/,
    setCheckpoint(3, "windowBytes", 5n),
  );
});

Deno.test("spans: start, order, checkpoints, compressed bytes", async () => {
  await refusesTampered(/^spans\[0\]\.plainOffset$/, setSpan(0, "plainOffset", 1n));
  await refusesTampered(/^spans\[8\]\.plainOffset$/, setSpan(8, "plainOffset", 1n));
  for (const value of [0n, 1024n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n]) {
    await refusesTampered(/^spans\[[23]\]\.(plainOffset|checkpoint)$/, setSpan(2, "plainOffset", value));
  }
  await refusesTampered(/^layers\[0\]\.plainBytes$/, setSpan(7, "plainOffset", 8192n));
  for (const value of [3n, 8n, 9n, 0xffffffffn]) {
    await refusesTampered(/^spans\[2\]\.checkpoint$/, setSpan(2, "checkpoint", value));
  }
  await openAndVerify(tampered(SAMPLE, setSpan(2, "checkpoint", 1n))); // an earlier one only costs time
  await openAndVerify(tampered(SAMPLE, setSpan(2, "compressedBytes", 1n))); // too few of them are found out when it is read
  await refusesTampered(/^spans\[2\]\.compressedBytes$/, setSpan(2, "compressedBytes", 0xffffffffn));
});

Deno.test("a span of more than 256 MiB is refused", async () => {
  const long = 300 * 1024 * 1024;
  const last = (sections: Sections) => {
    editImage(`"plainBytes":8192`, `"plainBytes":${long}`)(sections);
    setCheckpoint(8, "plainOffset", BigInt(long))(sections);
  };
  await refusesTampered(/^layers\[0\]\.plainBytes$/, last);
  await refusesTampered(/^spans\[7\]\.plainOffset$/, (sections) => {
    last(sections);
    setCheckpoint(7, "plainOffset", BigInt(long - 10))(sections);
    setSpan(7, "plainOffset", BigInt(long - 10))(sections);
  });
});

Deno.test("counts of checkpoints and spans that the sections contradict", async () => {
  const counts = [/"checkpoints":9/, /"spans":8/] as const;
  for (const count of counts) {
    const field = count.source.slice(1, count.source.indexOf(`"`, 1));
    for (const value of [0, 1, 2, 7, 10, 2 ** 32, 2 ** 53 - 1]) {
      await refusesTampered(new RegExp(`^${field} section length$`), editImage(count, `"${field}":${value}`));
    }
  }
  const length = /^(checkpoints|spans) section length$/;
  await refusesTampered(length, (sections) => sections.checkpoints = sections.checkpoints.slice(0, -1));
  await refusesTampered(length, (sections) => sections.spans = sections.spans.slice(SPAN_BYTES));
});

Deno.test("a layer has two checkpoints at least, and spans if it has bytes", async () => {
  // The third layer is empty: it has a start and an end.
  await refusesTampered(/^layers\[2\]\.checkpoints$/, (sections) => {
    editImage(`"checkpoints":2,`, `"checkpoints":1,`)(sections);
    sections.checkpoints = sections.checkpoints.slice(0, -CHECKPOINT_BYTES);
  });
  await refusesTampered(/^layers\[2\]\.spans$/, (sections) => {
    editImage(/"spans":0/, `"spans":1`)(sections);
    sections.spans = new Uint8Array([...sections.spans, ...new Uint8Array(SPAN_BYTES)]);
  });
  const one = archiveBytes(contents(directory(), [layer(0, 10)]));
  await refuses(
    tampered(one, (sections) => {
      editImage(/"spans":1/, `"spans":0`)(sections);
      sections.spans = new Uint8Array(0);
    }),
    /^layers\[0\]\.spans$/,
  );
});

/** A layer whose spans are other ones. */
function withSpans(model: LayerModel, change: (span: Span) => Partial<Span>): LayerModel {
  return { ...model, spans: SpanList.of([...model.spans].map((span) => ({ ...span, ...change(span) }))) };
}

Deno.test("the compressed end of a span is the next checkpoint behind it, from whichever it is made", async () => {
  for (const spansPerCheckpoint of [1, 3]) {
    const model = layer(0, 20_000, { spansPerCheckpoint });
    const ends = model.checkpoints.slice(1).map(({ plainOffset, compressedBitOffset }) => {
      return { plainOffset, end: Math.ceil(compressedBitOffset / 8) };
    });
    for (const spans of [model, withSpans(model, () => ({ checkpoint: 0 }))]) {
      const { layers } = await openTree(directory(), [spans]);
      for (let span = 0; span < model.spans.length; span++) {
        const expected = ends.find(({ plainOffset }) => plainOffset >= layers.spanEnd(0, span))!.end;
        assert.equal(layers.compressedEnd(0, span), expected, `span ${span}`);
      }
    }
  }
});

Deno.test("archives that say otherwise how far a span reaches in the blob differ", async () => {
  const model = layer(0, 8192, { spansPerCheckpoint: 2 });
  const reaching = (compressedBytes: number) => {
    return openTree(directory(), [
      withSpans(model, ({ plainOffset }) => plainOffset === 2048 ? { compressedBytes } : {}),
    ]);
  };
  assert.equal(await compareArchives(await reaching(300), await reaching(300)), undefined);
  assert.equal(await compareArchives(await reaching(300), await reaching(9)), "span 2 of layer 0");
});
