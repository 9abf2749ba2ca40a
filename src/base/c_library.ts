import { ClipError, messageOf } from "./errors.ts";

/** Opens the C library, glibc or else musl. @throws {ClipError} of code `unsupported` where there is neither. */
export function openCLibrary<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols> {
  let failure: unknown;
  for (const name of ["libc.so.6", "libc.so"]) {
    try {
      return Deno.dlopen(name, symbols);
    } catch (error) {
      failure ??= error;
    }
  }
  throw new ClipError("unsupported", `cannot open the C library: ${messageOf(failure)}`, { cause: failure });
}
