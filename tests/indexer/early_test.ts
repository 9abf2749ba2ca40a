import assert from "node:assert/strict";
import { startLayerWorkerEarly, takeLayerWorker } from "../../src/indexer/early.ts";

/** Whether it answers: as to any piece of a layer that it knows nothing of. */
async function answers(worker: Worker): Promise<boolean> {
  const answer = new Promise<string>((resolve) => worker.onmessage = ({ data }) => resolve(data.type));
  worker.postMessage({ type: "bytes", bytes: new Uint8Array(1) });
  return await answer === "taken";
}

Deno.test("a layer Worker that was started early goes to who takes one first, and then is that one's", async () => {
  const end = startLayerWorkerEarly();
  const first = takeLayerWorker();
  const second = takeLayerWorker();
  assert.notEqual(first, second);
  end();
  try {
    assert(await answers(first));
    assert(await answers(second));
  } finally {
    first.terminate();
    second.terminate();
  }
});

Deno.test("a layer Worker that nobody took is ended, once", async () => {
  const ended: Worker[] = [];
  const { terminate } = Worker.prototype;
  Worker.prototype.terminate = function () {
    ended.push(this);
    terminate.call(this);
  };
  try {
    const end = startLayerWorkerEarly();
    end();
    end();
    assert.equal(ended.length, 1);
    const later = takeLayerWorker();
    assert.notEqual(later, ended[0]);
    assert(await answers(later));
    later.terminate();
  } finally {
    Worker.prototype.terminate = terminate;
  }
});
