/** Worker: makes a frame or member of each chunk. */
import { compressChunk } from "./compress_chunk.ts";
import type { CompressedChunk, CompressRequest } from "./compress_messages.ts";

const port = self as unknown as {
  onmessage: (event: MessageEvent<CompressRequest>) => void;
  postMessage(message: CompressedChunk, transfer: Transferable[]): void;
};

port.onmessage = ({ data }) => {
  const { id, buffer } = data;
  const { frame, digest } = compressChunk(new Uint8Array(buffer, 0, data.lengthBytes), data.compression);
  port.postMessage({ id, buffer, frame, digest }, [buffer, frame.buffer, digest.buffer]);
};
