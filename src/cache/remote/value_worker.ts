/** Worker: (de)compresses and verifies stored values. A value being compressed does not hold up those being read. */
import { decodeValue, gzipIfWorthwhile } from "./stored_value.ts";
import type { DecodeRequest, EncodeRequest, ValueAnswer } from "./value_messages.ts";

const port = self as unknown as {
  onmessage: (event: MessageEvent<DecodeRequest | EncodeRequest>) => void;
  postMessage(message: ValueAnswer, transfer: Transferable[]): void;
};

port.onmessage = async ({ data }) => {
  const { id } = data;
  if (data.type === "encode") {
    const gzip = await gzipIfWorthwhile(data.bytes);
    return port.postMessage({ type: "encoded", id, gzip }, gzip === undefined ? [] : [gzip.buffer]);
  }
  const bytes = await decodeValue(data.value, data);
  if (bytes === undefined) return port.postMessage({ type: "decoded", id, decoded: undefined }, []);
  const isRaw = bytes === data.value;
  const value = !data.keepsValue ? undefined : isRaw ? bytes.slice() : data.value;
  const transfer = value === undefined ? [bytes.buffer] : [bytes.buffer, value.buffer];
  port.postMessage({ type: "decoded", id, decoded: { bytes, value } }, transfer);
};
