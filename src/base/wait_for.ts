/**
 * The result of what goes on anyhow, or is done for others as well: who gives up waiting does not end it.
 * @throws the reason of the signal, as soon as it is aborted.
 */
export async function waitFor<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) onAbort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
