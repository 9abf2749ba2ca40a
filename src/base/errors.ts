/** What kind of failure an error is; decides the exit status, the errno, and whether a retry can help. */
export const ERROR_CODES = [
  "usage", // the command line is wrong
  "not_found", // a named image, file, tag or path does not exist
  "corrupt", // untrusted bytes break their format
  "digest_mismatch", // bytes are well-formed but not the ones that were promised
  "unsupported", // valid, but outside what clip handles
  "limit", // valid, but larger than a stated bound
  "denied", // authentication or permission
  "registry", // a registry answered with an error
  "network", // no answer, or a broken one
  "io", // the local machine: files, devices, mounts
  "aborted", // stopped on request
  "internal", // a bug in clip
] as const;

/** One of {@linkcode ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Options common to all of clip's errors. */
export interface ClipErrorOptions extends ErrorOptions {
  /** Whether the same operation may succeed when tried again. Default false. */
  readonly retryable?: boolean;
}

/** The one base class of the errors that clip raises on purpose; anything else that is thrown is a bug. */
export class ClipError extends Error {
  /** The kind of failure. */
  readonly code: ErrorCode;
  /** Whether the same operation may succeed when tried again. */
  readonly retryable: boolean;

  /** `message` names the action and the value: what was expected, what was found, what to do. */
  constructor(code: ErrorCode, message: string, options: ClipErrorOptions = {}) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** The command line is wrong: exit status 2. */
export class UsageError extends ClipError {
  /** `message` says what was wrong; it may end with a hint on the next line. */
  constructor(message: string) {
    super("usage", message);
  }
}

/** Where and how untrusted bytes break their format. */
export interface CorruptDetails {
  /** What was being read: `"archive"`, `"tar"`, `"gzip"`, `"manifest"`… */
  readonly subject: string;
  /** The field that is wrong, in the format's own words. */
  readonly field: string;
  /** Byte offset of the field in the subject, where it has one. */
  readonly offset?: number;
  /** What the field should have been, where that can be said. */
  readonly expected?: string | number;
  /** What was found. */
  readonly actual?: string | number;
  /** The file, layer or URL the bytes came from (secrets removed). */
  readonly source?: string;
}

/** Untrusted bytes break their format. */
export class CorruptError extends ClipError {
  /** Where and how. */
  readonly details: CorruptDetails;

  /** The message is made from `details`. */
  constructor(details: CorruptDetails, options: ClipErrorOptions = {}) {
    super("corrupt", describeCorruption(details), options);
    this.details = details;
  }
}

function describeCorruption(details: CorruptDetails): string {
  let text = `${details.subject}${details.source === undefined ? "" : ` ${details.source}`}: bad ${details.field}`;
  if (details.offset !== undefined) text += ` at byte ${details.offset}`;
  if (details.actual !== undefined) text += `: found ${details.actual}`;
  if (details.expected !== undefined) {
    text += `${details.actual === undefined ? ":" : ","} expected ${details.expected}`;
  }
  return text;
}

/** A source would have to transfer all of itself for a range: to read it from its start, once, costs no more. */
export class RangesIgnoredError extends ClipError {
  /** `source` says what was to be read (secrets removed). */
  constructor(source: string) {
    super("unsupported", `${source}: the server ignores Range and sends the whole for each part`);
  }
}

/** Bytes are not the ones a digest promised. */
export class DigestMismatchError extends ClipError {
  /** The digest that was promised, `algorithm:hex`. */
  readonly digest: string;
  /** The digest of what arrived, `algorithm:hex`. */
  readonly actual: string;

  /** `source` says what was read and from where (secrets removed). */
  constructor(source: string, { digest, actual }: { digest: string; actual: string }, options: ClipErrorOptions = {}) {
    super("digest_mismatch", `${source}: digest mismatch: found ${actual}, expected ${digest}`, options);
    this.digest = digest;
    this.actual = actual;
  }
}

/** More causes of causes than these are not told. */
const MAX_CAUSES = 8;

/** The message of anything that was thrown, with the messages of its causes. */
export function messageOf(error: unknown): string {
  return messageWithCauses(error, MAX_CAUSES);
}

function messageWithCauses(error: unknown, more: number): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined || more === 0 ? "" : messageWithCauses(error.cause, more - 1);
  return cause === "" || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}
