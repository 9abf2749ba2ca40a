/** Directories and files by the C library's calls that Deno has no names for: telldir, seekdir, mmap. For Linux, 64 bits. */

/** Offset of `d_name` in `struct dirent`. Source: glibc, bits/dirent.h. */
const NAME_AT = 19;
const PROT_READ = 1;
const MAP_PRIVATE = 2;

const libc = () =>
  Deno.dlopen("libc.so.6", {
    opendir: { parameters: ["buffer"], result: "pointer" },
    readdir: { parameters: ["pointer"], result: "pointer" },
    telldir: { parameters: ["pointer"], result: "i64" },
    seekdir: { parameters: ["pointer", "i64"], result: "void" },
    closedir: { parameters: ["pointer"], result: "i32" },
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
    munmap: { parameters: ["pointer", "usize"], result: "i32" },
  });

function text(path: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${path}\0`);
}

/** An open directory, as opendir(3) makes it. */
export class DirectoryStream {
  readonly #libc = libc();
  readonly #stream: Deno.PointerValue;

  /** Opens it. */
  constructor(path: string) {
    this.#stream = this.#libc.symbols.opendir(text(path));
    if (this.#stream === null) throw new Error(`cannot open ${path}`);
  }

  /** The next name; undefined at the end. */
  read(): string | undefined {
    const entry = this.#libc.symbols.readdir(this.#stream);
    return entry === null ? undefined : new Deno.UnsafePointerView(entry).getCString(NAME_AT);
  }

  /** The place before the entry that is read next. */
  tell(): bigint {
    return BigInt(this.#libc.symbols.telldir(this.#stream));
  }

  /** Goes to a place that `tell` has told. */
  seek(place: bigint): void {
    this.#libc.symbols.seekdir(this.#stream, place);
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.closedir(this.#stream);
    this.#libc.close();
  }
}

/** What a mapping of a whole file shows. */
export function mappedBytes(path: string): Uint8Array<ArrayBuffer> {
  const lengthBytes = Deno.statSync(path).size;
  const library = libc();
  const { symbols } = library;
  const file = symbols.open(text(path), 0);
  const address = symbols.mmap(0n, BigInt(lengthBytes), PROT_READ, MAP_PRIVATE, file, 0n);
  try {
    if (address === null || Deno.UnsafePointer.value(address) === 2n ** 64n - 1n) throw new Error(`cannot map ${path}`);
    return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(address, lengthBytes)).slice();
  } finally {
    symbols.munmap(address, BigInt(lengthBytes));
    symbols.close(file);
    library.close();
  }
}
