/** Runs other programs, and tells which of them are there. */
import { accessSync, constants } from "node:fs";

/** How a program ended, and what it wrote. */
export interface ProgramResult {
  /** The exit status; 128 and the signal's number where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Uint8Array<ArrayBuffer>;
}

/** Where and with what a program runs. */
export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to this process's own environment. */
  readonly env?: Record<string, string>;
  readonly stdin?: Uint8Array;
}

/** Runs a program to its end. @throws only when it cannot be started. */
export async function runProgram(command: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  const [program, ...args] = command;
  const { stdin, ...rest } = options;
  const child = new Deno.Command(program!, {
    args,
    ...rest,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // Both at once: a filter writes before it has read everything.
  const ended = child.output();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(stdin);
    await writer.close();
  }
  const { code, stdout, stderr } = await ended;
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr), stdoutBytes: stdout as Uint8Array<ArrayBuffer> };
}

/** Runs a program that has to succeed; its standard output. @throws an Error with what it said. */
export async function mustRun(command: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runProgram(command, options);
  if (code !== 0) throw new Error(`${command.join(" ")}: status ${code}: ${stderr.slice(-2000)}`);
  return stdout;
}

/** Whether a program is on the PATH. */
export function isInstalled(program: string): boolean {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(`${folder}/${program}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
