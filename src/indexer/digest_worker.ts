/** Worker: digests one plain stream after another. Blocks while it waits for the ring. */
import { toPlainError } from "../base/mod.ts";
import { DigestRecord, type DigestStart, type FromDigestWorker } from "./digest_messages.ts";
import { InlineDigester, type PlainDigests, type SpanLimits } from "./plain_digester.ts";
import { RingReader } from "./record_ring.ts";

const port = self as unknown as {
  onmessage: (event: MessageEvent<DigestStart>) => void;
  postMessage(message: FromDigestWorker): void;
};

port.onmessage = ({ data }) => {
  const reader = new RingReader(data.ring);
  try {
    port.postMessage({ type: "digests", digests: digestStream(reader, data.limits) });
  } catch (error) {
    reader.abandon();
    port.postMessage({ type: "failed", error: toPlainError(error) });
  }
};

function digestStream(reader: RingReader, limits: SpanLimits): PlainDigests {
  const digester = new InlineDigester(limits);
  for (let ended = false; !ended;) {
    reader.take((type, bytes) => {
      if (type === DigestRecord.bytes) digester.write(bytes);
      else if (type === DigestRecord.checkpoint) digester.checkpoint(readOffset(bytes));
      else ended = true;
    });
  }
  const { diffId, spans, accepted } = digester.finish();
  // Digests are Buffers, which would arrive as something else.
  return { diffId, accepted, spans: spans.map((span) => ({ ...span, digest: new Uint8Array(span.digest) })) };
}

function readOffset(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(0, true);
}
