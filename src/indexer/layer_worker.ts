/** Worker: scans one layer after another. See layer_messages.ts for what is said. */
import { toPlainError } from "../base/mod.ts";
import { ThreadDigester } from "./digest_thread.ts";
import type { FromLayerWorker, ToLayerWorker } from "./layer_messages.ts";
import { encodeLayerBody, type LayerIndexKey } from "./layer_index.ts";
import type { LayerScan } from "./layer_scan.ts";
import { LayerScanner, spanLimits } from "./scan_layer.ts";

const port = self as unknown as {
  onmessage: (event: MessageEvent<ToLayerWorker>) => void;
  postMessage(message: FromLayerWorker, transfer?: Transferable[]): void;
};

/** A scan under way, and how it is brought to its end. */
let scan: { readonly scanner: LayerScanner; finish(): Promise<LayerScan>; readonly key: LayerIndexKey } | undefined;
/** Who digests, where that is not the scanner itself. */
let threadDigester: ThreadDigester | undefined;

port.onmessage = async ({ data }) => {
  try {
    switch (data.type) {
      case "digester":
        threadDigester = new ThreadDigester(data.port);
        break;
      case "start":
        scan = startScan(data);
        break;
      case "bytes":
        // After a failure the rest of the layer, already under way, is let pass.
        scan?.scanner.push(data.bytes);
        data.bytes.buffer.transfer(0); // frees it now: the collector would let tens of such pieces come together
        port.postMessage({ type: "taken", plainBytes: scan?.scanner.plainBytes ?? 0 });
        break;
      case "end":
        if (scan !== undefined) {
          const body = encodeLayerBody(await scan.finish(), scan.key);
          port.postMessage({ type: "done", body }, [body.buffer]);
        }
        scan = undefined;
    }
  } catch (error) {
    scan = undefined;
    port.postMessage({ type: "failed", error: toPlainError(error) });
  }
};

function startScan(
  { mediaType, key, inflate, bounds, starts }: Extract<ToLayerWorker, { type: "start" }>,
): typeof scan {
  if (threadDigester === undefined) {
    const scanner = new LayerScanner(mediaType, key.options, { inflate, bounds, starts });
    return { scanner, key, finish: () => Promise.resolve(scanner.finish()) };
  }
  const digester = threadDigester.start(spanLimits(key.options));
  const scanner = new LayerScanner(mediaType, key.options, { inflate, digester, bounds, starts });
  const finish = async () => {
    scanner.drain();
    return scanner.result(await digester.finish());
  };
  return { scanner, key, finish };
}
