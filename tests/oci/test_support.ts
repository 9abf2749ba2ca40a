import assert from "node:assert/strict";
import {
  ClipError,
  createLogger,
  equalBytes,
  type ErrorCode,
  type Logger,
  type RangeSource,
} from "../../src/base/mod.ts";
import { Logins, type LoginsOptions, type SourceOptions } from "../../src/oci/mod.ts";

/** A logger that keeps its lines. */
export function recordingLogger(): Logger & { lines: string[] } {
  const lines: string[] = [];
  return { ...createLogger({ level: "debug", write: (line) => lines.push(line) }), lines };
}

/** Options for a registry under test: quick retries, and no login but that in `dockerConfigPath`, or of `given`. */
export function quickOptions(
  { dockerConfigPath, given, ...options }: QuickOptions = {},
): SourceOptions & { log: ReturnType<typeof recordingLogger> } {
  const log = recordingLogger();
  const env = (name: string) => name === "REGISTRY_AUTH_FILE" ? dockerConfigPath ?? EMPTY_DOCKER_CONFIG : undefined;
  return {
    plainHttp: true,
    retry: { attempts: 4, firstDelayMs: 2, maxDelayMs: 10, patienceMs: 300 },
    requestTimeoutMs: 3000,
    logins: new Logins({ env, log, programTimeoutMs: 5000, ...given }),
    ...options,
    log,
  };
}

/** What {@linkcode quickOptions} takes. */
export interface QuickOptions extends Partial<SourceOptions> {
  dockerConfigPath?: string;
  given?: Partial<LoginsOptions>;
}

const EMPTY_DOCKER_CONFIG = writeTemporary("{}");

/** Writes `text` to a new temporary file; its path. */
export function writeTemporary(text: string): string {
  const path = Deno.makeTempFileSync({ prefix: "clip-oci-", suffix: ".json" });
  Deno.writeTextFileSync(path, text);
  addEventListener("unload", () => Deno.removeSync(path));
  return path;
}

/** The ClipError that `work` fails with, whose code must be `code`. */
export async function failure(work: () => unknown, code?: ErrorCode): Promise<ClipError> {
  let result: unknown;
  try {
    result = await work();
  } catch (error) {
    assert(error instanceof ClipError, `expected a ClipError, got ${error instanceof Error ? error.stack : error}`);
    if (code !== undefined) assert.equal(error.code, code, error.message);
    return error;
  }
  throw new Error(`expected a failure, got ${JSON.stringify(result)?.slice(0, 300)}`);
}

/** All bytes of a stream. */
export async function collect(source: RangeSource, offset = 0): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source.stream({ offset })) pieces.push(piece);
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Whether all of `programs` are installed; where not, says that `test` is skipped and why. */
export function haveOrSkip(test: string, ...programs: string[]): boolean {
  for (const program of programs) {
    try {
      new Deno.Command("which", { args: [program], stdout: "null", stderr: "null" }).outputSync().success || missing();
    } catch {
      // deno-lint-ignore no-console -- a skip prints its reason
      console.log(`skipped ${test}: ${program} is not installed`);
      return false;
    }
  }
  return true;
}

function missing(): never {
  throw new Error("missing");
}

/** Runs a program that must succeed. */
export async function runProgram(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdout: "null", stderr: "piped" }).output();
  assert(success, `${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Fails unless the bytes are equal; much faster than a deep comparison. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  if (equalBytes(actual, expected)) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.fail(`byte ${at} is ${actual[at]}, expected ${expected[at]}`);
}
