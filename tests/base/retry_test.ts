import assert from "node:assert/strict";
import { ClipError, DEFAULT_RETRY, type HasRetryAfter, retry, type RetryPolicy, sleep } from "../../src/base/mod.ts";

const QUICK: RetryPolicy = { attempts: 4, firstDelayMs: 2, maxDelayMs: 5 };

class AskingError extends ClipError implements HasRetryAfter {
  constructor(readonly retryAfterMs: number | undefined) {
    super("registry", "too many requests", { retryable: true });
  }
}

const broken = () => new ClipError("network", "connection reset", { retryable: true });

/** The waits between attempts of work that always fails with `failure`; they are waited. */
async function waitsFor(failure: ClipError, policy: RetryPolicy, random: number): Promise<number[]> {
  const waits: number[] = [];
  const onRetry = (_: ClipError, delayMs: number) => waits.push(delayMs);
  const failing = retry(() => Promise.reject(failure), { policy, random: () => random, onRetry });
  await assert.rejects(failing, (error) => error === failure);
  return waits;
}

Deno.test("work that succeeds is done once", async () => {
  const attempts: number[] = [];
  const result = await retry((attempt) => {
    attempts.push(attempt);
    return Promise.resolve("done");
  });
  assert.equal(result, "done");
  assert.deepEqual(attempts, [1]);
});

Deno.test("work that fails is tried again, each failure told, until it succeeds", async () => {
  const told: number[] = [];
  const result = await retry(async (attempt) => {
    await Promise.resolve();
    if (attempt < 4) throw broken();
    return attempt;
  }, { policy: QUICK, random: () => 0, onRetry: (error, delayMs) => told.push(error.retryable ? delayMs : NaN) });
  assert.equal(result, 4);
  assert.deepEqual(told, [1, 2, 2.5]);
});

Deno.test("after the last attempt the last error is thrown", async () => {
  let calls = 0;
  const last = broken();
  await assert.rejects(
    retry(() => Promise.reject(++calls === 4 ? last : broken()), { policy: QUICK }),
    (error) => error === last,
  );
  assert.equal(calls, 4);
});

Deno.test("what a retry cannot help is thrown at once", async () => {
  for (const error of [new ClipError("denied", "no"), new TypeError("a bug"), "text", undefined]) {
    let calls = 0;
    await assert.rejects(
      retry(() => {
        calls++;
        return Promise.reject(error);
      }, { policy: QUICK }),
      (caught) => caught === error,
    );
    assert.equal(calls, 1);
  }
});

Deno.test("waits double up to the longest, and lie in the upper half", async () => {
  const policy = { attempts: 5, firstDelayMs: 4, maxDelayMs: 12 };
  assert.deepEqual(await waitsFor(broken(), policy, 0), [2, 4, 6, 6]);
  assert.deepEqual(await waitsFor(broken(), policy, 0.5), [3, 6, 9, 9]);
  const most = await waitsFor(broken(), policy, 1 - 2 ** -53);
  [4, 8, 12, 12].forEach((bound, i) => assert.ok(most[i]! <= bound && most[i]! > bound - 0.001));
});

Deno.test("a wait that is asked for is kept, within six times the longest", async () => {
  const policy = { attempts: 2, firstDelayMs: 4, maxDelayMs: 8 };
  assert.deepEqual(await waitsFor(new AskingError(20), policy, 0), [20]);
  assert.deepEqual(await waitsFor(new AskingError(20), policy, 0.5), [21]);
  assert.deepEqual(await waitsFor(new AskingError(1e9), policy, 0), [48]);
  assert.deepEqual(await waitsFor(new AskingError(1), policy, 0), [2]);
  assert.deepEqual(await waitsFor(new AskingError(undefined), policy, 0), [2]);
});

Deno.test("the waits are really waited", async () => {
  const started = performance.now();
  let calls = 0;
  await retry(() => ++calls < 3 ? Promise.reject(new AskingError(30)) : Promise.resolve(), {
    policy: { attempts: 3, firstDelayMs: 1, maxDelayMs: 30 },
    random: () => 0,
  });
  assert.ok(performance.now() - started >= 55);
});

Deno.test("an aborted signal keeps work from being started, and ends a wait", async () => {
  const reason = new ClipError("aborted", "stopped");
  let calls = 0;
  const fail = () => {
    calls++;
    return Promise.reject(broken());
  };
  await assert.rejects(retry(fail, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  assert.equal(calls, 0);
  const controller = new AbortController();
  const policy = { attempts: 9, firstDelayMs: 100_000, maxDelayMs: 100_000 };
  await assert.rejects(
    retry(fail, { policy, signal: controller.signal, onRetry: () => queueMicrotask(() => controller.abort(reason)) }),
    (error) => error === reason,
  );
  assert.equal(calls, 1);
});

Deno.test("sleep ends in time, or with the signal; no timer is left behind", async () => {
  const started = performance.now();
  await sleep(20);
  assert.ok(performance.now() - started >= 19);
  await assert.rejects(sleep(100_000, AbortSignal.abort(new Error("gone"))), /gone/);
  const controller = new AbortController();
  const sleeping = sleep(100_000, controller.signal);
  controller.abort(new Error("woken"));
  await assert.rejects(sleeping, /woken/);
  await sleep(0, new AbortController().signal);
});

Deno.test("unless others are given, there are four attempts, with waits from 0.2 s on", () => {
  assert.deepEqual(DEFAULT_RETRY, { attempts: 4, firstDelayMs: 200, maxDelayMs: 10_000 });
});

class BusyError extends ClipError implements HasRetryAfter {
  readonly isThrottled = true;
  constructor() {
    super("registry", "come later", { retryable: true });
  }
}

Deno.test("who is busy is asked more often than who fails, for a time", async () => {
  let calls = 0;
  const result = await retry(() => ++calls < 10 ? Promise.reject(new BusyError()) : Promise.resolve("done"), {
    policy: QUICK,
  });
  assert.equal(result, "done");
  // In between, failures are counted as ever.
  calls = 0;
  const work = () => Promise.reject(++calls % 2 === 0 ? broken() : new BusyError());
  await assert.rejects(retry(work, { policy: QUICK }), /connection reset/);
  assert.equal(calls, 8);
  const impatient = { ...QUICK, patienceMs: 20 };
  await assert.rejects(retry(() => Promise.reject(new BusyError()), { policy: impatient }), /come later/);
});
