import { Buffer } from "node:buffer";
import { CorruptError, DigestMismatchError, MIB, type RangeSource, sha256Bytes } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import { codecByName } from "../codec/mod.ts";
import type { Run } from "./read_plan.ts";

/** Runs of more compressed bytes than this are streamed; shorter ones are one request for one range. */
const STREAM_FROM_BYTES = 16 * MIB;

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
  signal?: AbortSignal,
): Promise<void> {
  const spans = new SpanAssembler(archive, run, source.description, events);
  const from = archive.layers.checkpoint(run.checkpoint);
  const decoder = codecByName(archive.image.layers[run.layer]!.codec).decoder({
    from: { ...from, window: await archive.window(run.checkpoint) },
    plainBytes: run.plainBytes,
    onPlain: (bytes) => spans.add(bytes),
  });
  const offset = run.compressedOffset;
  const endExclusive = run.compressedEndExclusive;
  events.onRequest(endExclusive - offset);
  if (endExclusive - offset <= STREAM_FROM_BYTES) {
    if (decoder.push(await source.readRange({ offset, endExclusive }, signal))) return spans.finish();
  } else {
    for await (const piece of source.stream({ offset, ...(signal === undefined ? {} : { signal }) })) {
      if (decoder.push(piece)) return spans.finish();
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
