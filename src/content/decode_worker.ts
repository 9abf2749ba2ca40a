/** Worker: decodes runs. See decode_messages.ts for what is said. */
import type { FromDecoder, ToDecoder } from "./decode_messages.ts";
import { DecodeServer } from "./decode_server.ts";

const port = self as unknown as {
  onmessage: (event: MessageEvent<ToDecoder>) => void;
  postMessage(messages: readonly FromDecoder[], transfer?: Transferable[]): void;
};

const server = new DecodeServer((messages, transfer) => port.postMessage(messages, transfer));
port.onmessage = ({ data }) => server.handle(data);
port.postMessage([{ type: "ready" }]);
