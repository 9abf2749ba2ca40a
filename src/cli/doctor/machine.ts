import { messageOf } from "../../base/mod.ts";
import { libc } from "../../fuse/mod.ts";

/** The machine as the checks see it, so that tests can be another. */
export interface Machine {
  /** Of the user. */
  readonly uid: number;
  /** As uname(2) has it: `6.9.3-generic`. */
  readonly kernelRelease: string;
  /** Tries to open a file for reading and writing; undefined where that works, else why not, such as `ENOENT`. */
  tryOpen(path: string): string | undefined;
  /** Number of the device that a file is, as makedev(3) makes it; undefined where it cannot be told. */
  deviceOf(path: string): number | undefined;
  /** The text of a file; undefined where there is none to be read. */
  readText(path: string): string | undefined;
  /** The path and the mode of a program; undefined where PATH has none. */
  findProgram(name: string): { path: string; mode: number; uid: number } | undefined;
  /** Why foreign functions cannot be called; undefined where they can. */
  whyNoForeignFunctions(): string | undefined;
  /** Why WebAssembly cannot be run; undefined where it can. */
  whyNoWasm(): string | undefined;
}

/** An empty module: a magic number and a version. Source: WebAssembly core specification, 5.5.16. */
const EMPTY_WASM = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const X_OK = 0o111;

/** The machine that this runs on. */
export function thisMachine(): Machine {
  return {
    uid: Deno.uid() ?? 0,
    kernelRelease: Deno.osRelease(),
    tryOpen(path) {
      return reason(() => Deno.openSync(path, { read: true, write: true }).close());
    },
    deviceOf(path) {
      try {
        return Deno.statSync(path).rdev ?? undefined;
      } catch {
        return undefined;
      }
    },
    readText(path) {
      try {
        return Deno.readTextFileSync(path);
      } catch {
        return undefined;
      }
    },
    findProgram(name) {
      for (const folder of (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "")) {
        try {
          const path = `${folder}/${name}`;
          const { isFile, mode, uid } = Deno.statSync(path);
          if (isFile && ((mode ?? 0) & X_OK) !== 0) return { path, mode: mode!, uid: uid! };
        } catch {
          // Not in this one.
        }
      }
      return undefined;
    },
    whyNoForeignFunctions: () => reason(() => void libc().now()),
    whyNoWasm: () => reason(() => void new WebAssembly.Instance(new WebAssembly.Module(EMPTY_WASM))),
  };
}

function reason(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    const { code } = error as { code?: unknown };
    return typeof code === "string" ? code : messageOf(error);
  }
}
