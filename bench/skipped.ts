/** A part of a benchmark cannot run on this machine; the message says why. */
export class Skipped extends Error {
  override readonly name = "Skipped";
}
