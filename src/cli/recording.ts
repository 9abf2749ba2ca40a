import { formatCount, formatDuration, type Logger, messageOf, writeFileAtomically } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import { type ContentObserver, formatProfile, ProfileRecorder } from "../content/mod.ts";

/** What was recorded is written so often: a server that is killed leaves all but the last moments. */
const WRITE_EVERY_MS = 2000;

/** What readers touch, on its way to a file. */
export interface Recording {
  /** To be told of what is touched. */
  readonly observer: ContentObserver;
  /** Writes what was touched, for the last time. Never throws. */
  end(): Promise<void>;
}

/**
 * Begins to record the profile of a mount of `archive`; the file at `path` is replaced whole, each time.
 * @param options `durationMs`: later touches are not recorded; undefined: all are.
 * @throws {ClipError} when the file cannot be written.
 */
export async function startRecording(
  archive: Archive,
  path: string,
  { durationMs, log }: { durationMs: number | undefined; log: Logger },
): Promise<Recording> {
  const recorder = new ProfileRecorder(archive);
  const write = () => writeFileAtomically(path, [new TextEncoder().encode(formatProfile(recorder.profile))]);
  await write();
  let written = 0;
  let writing = Promise.resolve();
  const update = () => {
    writing = writing.then(async () => {
      const { touches } = recorder;
      if (touches === written) return;
      await write();
      written = touches;
    }).catch((error) => log.warn(`what is touched is not recorded: ${messageOf(error)}`));
    return writing;
  };
  const writer = setInterval(update, WRITE_EVERY_MS);
  const stopper = durationMs === undefined ? undefined : setTimeout(() => end(), durationMs);
  let ended: Promise<void> | undefined;
  const end = () =>
    ended ??= (async () => {
      clearInterval(writer);
      clearTimeout(stopper);
      recorder.stop();
      await update();
      const spans = formatCount(recorder.touches, "span");
      const first = durationMs === undefined ? "" : ` of the first ${formatDuration(durationMs)}`;
      log.info(`recorded ${spans}${first} to ${path}`);
    })();
  return { observer: recorder, end };
}
