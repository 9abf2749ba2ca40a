/** After so long, one who waits is told. */
const TELL_AFTER_MS = 1000;

/** A lock that is held. */
export interface HeldLock {
  /** Lets the next one in. */
  release(): Promise<void>;
}

/**
 * Takes the lock that the file `path` stands for, among all processes of the machine, and waits as long as another has
 * it. A holder that is killed has let go. The file is there only while somebody holds or wants the lock.
 * @param onWait Called once where it takes a second or more.
 * @throws the reason of the signal.
 */
export async function lockFile(
  path: string,
  { signal, onWait }: { signal: AbortSignal | undefined; onWait: () => void },
): Promise<HeldLock> {
  const timer = setTimeout(onWait, TELL_AFTER_MS);
  try {
    for (;;) {
      const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
      await locked(file, signal);
      // The holder before has removed the file that it had locked: who has locked that one has locked nothing.
      const there = await Deno.stat(path).catch(() => undefined);
      const mine = await file.stat();
      if (there?.ino === mine.ino && there?.dev === mine.dev) {
        return {
          async release() {
            await Deno.remove(path).catch(() => {});
            file.close();
          },
        };
      }
      file.close();
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for the lock of an open file, which is closed if that is given up. */
async function locked(file: Deno.FsFile, signal: AbortSignal | undefined): Promise<void> {
  const taken = file.lock(true);
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal!.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([taken, aborted.promise]);
  } catch (error) {
    taken.catch(() => {}).finally(() => file.close());
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
