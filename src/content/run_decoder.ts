import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { CorruptError, DigestMismatchError, KIB, MIB, type RangeSource, sha256Bytes } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import { codecByName, type Decoder, type InflateName } from "../codec/mod.ts";
import type { Run } from "./read_plan.ts";

/** Runs of more compressed bytes than this are streamed; shorter ones are one request for one range. */
const STREAM_FROM_BYTES = 16 * MIB;
/**
 * Of a run of several spans, so many compressed bytes are decoded at a time. Zeros deflate 1,000 : 1, so that even this
 * may take a tenth of a second.
 */
const SLICE_BYTES = 64 * KIB;

/** What happens on the way. */
export interface RunEvents {
  /** A request is about to be made for so many compressed bytes. */
  onRequest(compressedBytes: number): void;
  /** A span has been decoded and verified. The receiver owns `bytes`. */
  onSpan(span: number, bytes: Uint8Array): void;
}

/**
 * Fetches, decodes and verifies the spans of a run, in order.
 * @throws {DigestMismatchError} or {CorruptError} when the blob does not hold what the archive says; what the source
 * throws when it cannot be read. Spans told of before that are good.
 */
export async function decodeRun(
  archive: Archive,
  run: Run,
  source: RangeSource,
  events: RunEvents,
  { signal, inflate }: { signal?: AbortSignal | undefined; inflate?: InflateName | undefined } = {},
): Promise<void> {
  const spans = new SpanAssembler(archive, run, source.description, events);
  const from = archive.layers.checkpoint(run.checkpoint);
  const { window, blockHeader } = await archive.window(run.checkpoint);
  const decoder = codecByName(archive.image.layers[run.layer]!.codec).decoder({
    inflate,
    from: {
      ...from,
      window,
      block: from.blockBitOffset === undefined
        ? undefined
        : { headerBitOffset: from.blockBitOffset, header: blockHeader },
    },
    plainBytes: run.plainBytes,
    onPlain: (bytes) => spans.add(bytes),
  });
  const offset = run.compressedOffset;
  const endExclusive = run.compressedEndExclusive;
  events.onRequest(endExclusive - offset);
  if (endExclusive - offset <= STREAM_FROM_BYTES) {
    if (await pushAll(decoder, await source.readRange({ offset, endExclusive }, signal), spans)) return spans.finish();
  } else {
    for await (const piece of source.stream({ offset, ...(signal === undefined ? {} : { signal }) })) {
      if (await pushAll(decoder, piece, spans)) return spans.finish();
    }
  }
  throw new CorruptError({
    subject: "layer",
    source: source.description,
    field: "length of the data from a checkpoint",
    offset,
    actual: `${spans.plainBytes} bytes`,
    expected: `${run.plainBytes} bytes`,
  });
}

/**
 * Pushes `bytes`; whether the run is complete. Where spans are left after one has been completed, others have a turn:
 * the one who waited for that span is answered before the run ends, and so is everybody else.
 */
async function pushAll(decoder: Decoder, bytes: Uint8Array, spans: SpanAssembler): Promise<boolean> {
  if (spans.left === 1) return decoder.push(bytes);
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    const left = spans.left;
    if (decoder.push(bytes.subarray(at, at + SLICE_BYTES))) return true;
    if (spans.left < left) await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return false;
}

/** Cuts decoded bytes into spans and verifies each. */
class SpanAssembler {
  plainBytes = 0;
  #archive: Archive;
  #run: Run;
  #source: string;
  #events: RunEvents;
  #span: number;
  #buffer: Uint8Array;
  #filled = 0;
  /** Plain bytes between the checkpoint and the first span: none in archives that clip writes. */
  #skip: number;

  constructor(archive: Archive, run: Run, source: string, events: RunEvents) {
    this.#archive = archive;
    this.#run = run;
    this.#source = source;
    this.#events = events;
    this.#span = run.firstSpan;
    this.#buffer = this.#newBuffer();
    this.#skip = archive.layers.spanOffsets[run.firstSpan]! - archive.layers.checkpoint(run.checkpoint).plainOffset;
  }

  add(bytes: Uint8Array): void {
    this.plainBytes += bytes.length;
    let at = Math.min(this.#skip, bytes.length);
    this.#skip -= at;
    while (at < bytes.length) {
      const take = Math.min(bytes.length - at, this.#buffer.length - this.#filled);
      this.#buffer.set(bytes.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled === this.#buffer.length) this.#complete();
    }
  }

  /** How many spans are still to come. */
  get left(): number {
    return this.#run.endSpan - this.#span;
  }

  finish(): void {
    if (this.#span !== this.#run.endSpan) throw new Error("the decoder stopped before the end of the run");
  }

  #complete(): void {
    const expected = Buffer.from(this.#archive.layers.spanDigest(this.#span)).toString("hex");
    const actual = Buffer.from(sha256Bytes(this.#buffer)).toString("hex");
    if (actual !== expected) {
      const what = `${this.#source}: span ${
        this.#span - this.#archive.layers.firstSpan[this.#run.layer]!
      } of layer ${this.#run.layer}`;
      throw new DigestMismatchError(what, { digest: `sha256:${expected}`, actual: `sha256:${actual}` });
    }
    this.#events.onSpan(this.#span, this.#buffer);
    this.#span++;
    this.#filled = 0;
    if (this.#span < this.#run.endSpan) this.#buffer = this.#newBuffer();
  }

  #newBuffer(): Uint8Array {
    const { layers } = this.#archive;
    return new Uint8Array(layers.spanEnd(this.#run.layer, this.#span) - layers.spanOffsets[this.#span]!);
  }
}
