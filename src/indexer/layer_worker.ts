/** Worker: scans one layer after another. See layer_messages.ts for what is said. */
import { type FromLayerWorker, type ToLayerWorker, toPlainError } from "./layer_messages.ts";
import { encodeLayerIndex, type LayerIndexKey } from "./layer_index.ts";
import { LayerScanner } from "./scan_layer.ts";

const port = self as unknown as {
  onmessage: (event: MessageEvent<ToLayerWorker>) => void;
  postMessage(message: FromLayerWorker, transfer?: Transferable[]): void;
};

let scanner: LayerScanner | undefined;
let key: LayerIndexKey;

port.onmessage = ({ data }) => {
  try {
    switch (data.type) {
      case "start":
        key = data.key;
        scanner = new LayerScanner(data.mediaType, key.options, data.inflate);
        break;
      case "bytes":
        // After a failure the rest of the layer, already under way, is let pass.
        scanner?.push(data.bytes);
        port.postMessage({ type: "taken", plainBytes: scanner?.plainBytes ?? 0 });
        break;
      case "end":
        if (scanner !== undefined) {
          const index = encodeLayerIndex(scanner.finish(), key);
          port.postMessage({ type: "done", index }, [index.buffer]);
        }
        scanner = undefined;
    }
  } catch (error) {
    scanner = undefined;
    port.postMessage({ type: "failed", error: toPlainError(error) });
  }
};
