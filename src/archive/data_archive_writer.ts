import { createHash } from "node:crypto";
import type { PlacedFile } from "../base/mod.ts";
import { dataOffset, layOut, type PackedSection } from "./encode_archive.ts";

/**
 * Writes an archive that carries its data: first the data, as they come, then the sections, which are known only then,
 * and at last the header and the table of sections. Until that is there, the file begins with zeros and is no archive.
 */
export class DataArchiveWriter {
  #file: Pick<PlacedFile, "write">;
  #start: number;
  #dataBytes = 0;
  #hash = createHash("sha256");

  /** Writes nothing yet. `hasProfile`: whether a profile will be among the sections. */
  constructor(file: Pick<PlacedFile, "write">, { hasProfile }: { hasProfile: boolean }) {
    this.#file = file;
    this.#start = dataOffset(hasProfile);
  }

  /** Length of the data so far. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Appends to the data. */
  async add(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await this.#file.write(bytes, this.#start + this.#dataBytes);
    this.#dataBytes += bytes.length;
  }

  /** Writes everything else; the length of the archive. */
  async finish(sections: readonly PackedSection[]): Promise<number> {
    const digest = new Uint8Array(this.#hash.digest());
    const { head, rest } = layOut(sections, { storedBytes: this.#dataBytes, digest });
    const archiveBytes = await this.#writeAll(rest, this.#start + this.#dataBytes);
    await this.#writeAll(head, 0);
    return archiveBytes;
  }

  async #writeAll(pieces: readonly Uint8Array[], offset: number): Promise<number> {
    let at = offset;
    for (const piece of pieces) {
      await this.#file.write(piece, at);
      at += piece.length;
    }
    return at;
  }
}
