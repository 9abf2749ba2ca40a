import { S_IFMT, S_IFREG } from "../archive/mod.ts";
import { ClipError } from "../base/mod.ts";
import { type CName, cName, Errno, type FileCalls, Open } from "./file_calls.ts";

/** The name of the state in the directory that is written to. */
const STATE_NAME = ".clip-extract";
/** More than the paths of the longest command line. */
const MAX_STATE_BYTES = 4 * 1024 * 1024;
const COUNT_DIGITS = 16;

/** What is being extracted: another run goes on only with the same. */
export interface ExtractionKey {
  /** The archive's id. */
  readonly archive: string;
  /** Directory entries, ascending, or none for everything. */
  readonly dirents: readonly number[];
  readonly sameOwner: boolean;
}

/** The second line of the state. */
interface Header extends ExtractionKey {
  /** Of the temporary name. */
  readonly token: string;
  /** Of the system when the files were written: what a machine that went down has kept of them nobody knows. */
  readonly boot: string;
}

/**
 * A file in the directory that is written to, as long as that is half done: how many of the files, in their order, are
 * whole, in 16 digits that are written over; a line of JSON, what is being written. Its lock says that somebody does.
 */
export class ExtractionState {
  /** How many files, from the first on, were whole. */
  readonly finishedFiles: number;
  /** Whether an earlier run has begun this. */
  readonly isResumed: boolean;
  /** What files are called until they are whole: a name that no node of the archive can know of. */
  readonly temporaryName: CName;
  #calls: FileCalls;
  #root: number;
  #name: CName;
  #fd: number;

  private constructor(
    open: { calls: FileCalls; root: number; name: CName; fd: number },
    found: { token: string; finishedFiles: number; isResumed: boolean },
  ) {
    this.#calls = open.calls;
    this.#root = open.root;
    this.#name = open.name;
    this.#fd = open.fd;
    this.finishedFiles = found.finishedFiles;
    this.isResumed = found.isResumed;
    this.temporaryName = cName(new TextEncoder().encode(`${STATE_NAME}.${found.token}`));
  }

  /**
   * Opens the state in a directory, or begins one.
   * @param name From {@linkcode stateName}. @throws {ClipError} where it is of something else, or another run has it.
   */
  static open(
    calls: FileCalls,
    { root, directory, name }: { root: number; directory: string; name: string },
    key: ExtractionKey,
  ): ExtractionState {
    const path = `${directory}/${name}`;
    const cname = cName(new TextEncoder().encode(name));
    const fd = calls.open(root, cname, Open.O_RDWR | Open.O_CREAT | Open.O_NOFOLLOW, 0o600);
    if (fd < 0) throw new ClipError("io", `cannot write ${path}: ${calls.describe(-fd)}`);
    try {
      if (calls.lock(fd) === -Errno.EAGAIN) throw new ClipError("io", `${directory}: another clip is extracting there`);
      const stat = calls.stat(fd);
      const isOwn = typeof stat !== "number" && (stat.mode & S_IFMT) === S_IFREG && stat.uid === calls.user().uid &&
        stat.links === 1 && stat.sizeBytes <= MAX_STATE_BYTES;
      if (!isOwn) throw new ClipError("io", `${path} is not what clip extract left there: remove it`);
      const bytes = new Uint8Array(stat.sizeBytes);
      if (calls.read(fd, bytes, 0) !== bytes.length) throw new ClipError("io", `cannot read ${path}`);
      const opened = { calls, root, name: cname, fd };
      return bytes.length === 0
        ? begin(opened, key, path, (found) => new ExtractionState(opened, found))
        : new ExtractionState(opened, goOn(new TextDecoder().decode(bytes), key, path, directory));
    } catch (error) {
      calls.close(fd);
      throw error;
    }
  }

  /** So many files are whole now. Not written to the disk at once: it is for the next process, not the next start. */
  finished(files: number): void {
    const digits = new TextEncoder().encode(String(files).padStart(COUNT_DIGITS, "0"));
    const result = this.#calls.write(this.#fd, digits, 0);
    if (result < 0) throw new ClipError("io", `cannot write ${STATE_NAME}: ${this.#calls.describe(-result)}`);
  }

  /** All is done: nothing of this is left. */
  remove(): void {
    const result = this.#calls.unlink(this.#root, this.#name);
    if (result < 0) throw new ClipError("io", `cannot remove ${STATE_NAME}: ${this.#calls.describe(-result)}`);
  }

  /** Lets another run go on. */
  close(): void {
    this.#calls.close(this.#fd);
  }
}

/** The name of the state of an archive: one that its root does not have. */
export function stateName(hasName: (name: string) => boolean): string {
  let name = STATE_NAME;
  while (hasName(name)) name += "~";
  return name;
}

function begin(
  { calls, fd }: { calls: FileCalls; fd: number },
  key: ExtractionKey,
  path: string,
  open: (found: { token: string; finishedFiles: number; isResumed: boolean }) => ExtractionState,
): ExtractionState {
  const token = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
  const header: Header = { ...key, token, boot: bootId() };
  const text = `${"0".repeat(COUNT_DIGITS)}\n${JSON.stringify(header)}\n`;
  const result = calls.write(fd, new TextEncoder().encode(text), 0);
  if (result < 0) throw new ClipError("io", `cannot write ${path}: ${calls.describe(-result)}`);
  return open({ token, finishedFiles: 0, isResumed: false });
}

function goOn(
  text: string,
  key: ExtractionKey,
  path: string,
  directory: string,
): { token: string; finishedFiles: number; isResumed: boolean } {
  const [count, line, end] = text.split("\n");
  const header = parseHeader(line);
  if (!/^[0-9]{16}$/.test(count!) || header === undefined || end !== "") {
    throw new ClipError("io", `${path} is not what clip extract left there: remove it`);
  }
  const { token, boot, ...begun } = header;
  if (begun.archive !== key.archive) {
    throw new ClipError("io", `${directory} holds the half of another archive: finish that, or remove the directory`);
  }
  const { dirents, sameOwner } = begun;
  if (JSON.stringify([dirents, sameOwner]) !== JSON.stringify([key.dirents, key.sameOwner])) {
    const advice = "give the same paths and options, or remove the directory";
    throw new ClipError("io", `${directory} is half done with other paths or options: ${advice}`);
  }
  return { token, finishedFiles: boot === bootId() ? Number(count) : 0, isResumed: true };
}

function parseHeader(line: string | undefined): Header | undefined {
  try {
    const header = JSON.parse(line ?? "") as Header;
    return /^[0-9a-f]{16}$/.test(header.token) ? header : undefined;
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  } catch {
    return crypto.randomUUID();
  }
}
