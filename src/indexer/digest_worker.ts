/** Worker: digests one plain stream after another. Blocks while it waits for the ring. */
import { toPlainError } from "../base/mod.ts";
import type { DigestStart, FromDigestWorker } from "./digest_messages.ts";
import { PlainRingReader } from "./plain_ring.ts";
import { batchBytes, type PlainDigests, type SpanLimits, StreamDigester } from "./stream_digester.ts";

// The only message is the port by which streams are told of.
self.onmessage = ({ data: port }: MessageEvent<MessagePort>) => {
  const reply = (message: FromDigestWorker, transfer: Transferable[] = []) => port.postMessage(message, transfer);
  port.onmessage = ({ data }: MessageEvent<DigestStart>) => {
    const reader = new PlainRingReader(data.ring);
    try {
      const { diffId, spans } = digestStream(reader, data.limits);
      reply({ type: "digests", diffId, spanRecords: spans.bytes }, [spans.bytes.buffer]);
    } catch (error) {
      reader.abandon();
      reply({ type: "failed", error: toPlainError(error) });
    }
  };
};

function digestStream(reader: PlainRingReader, limits: SpanLimits): PlainDigests {
  const digester = new StreamDigester(reader.bytes, limits);
  const batch = batchBytes(limits);
  for (let ended = false; !ended;) {
    const next = reader.next();
    ended = next.ended;
    reader.takeMarks((mark) => mark < 0 ? digester.cut(-mark) : digester.checkpoint(mark));
    // In batches, so that there is room for more soon.
    while (digester.digestedTo < next.written) {
      digester.digestTo(Math.min(digester.digestedTo + batch, next.written));
      reader.release(digester.neededFrom);
    }
  }
  return digester.finish();
}
