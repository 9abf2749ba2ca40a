/**
 * Where layer Workers come from. One takes some 60 ms to come up, as long as it takes to load the command, read its
 * options and fetch the manifest: so whoever knows early that layers are going to be scanned has one started before
 * this room is loaded, by this file, which imports nothing.
 */

let early: Worker | undefined;

/** Starts a Worker for whoever takes one next; where nobody has by then, the function that comes back ends it. */
export function startLayerWorkerEarly(): () => void {
  const worker = startWorker();
  early = worker;
  return () => {
    if (early !== worker) return;
    early = undefined;
    worker.terminate();
  };
}

/** A layer Worker, the caller's from now on: the one that was started early, or a new one. */
export function takeLayerWorker(): Worker {
  const worker = early ?? startWorker();
  early = undefined;
  return worker;
}

function startWorker(): Worker {
  return new Worker(new URL("./layer_worker.ts", import.meta.url), { type: "module" });
}
