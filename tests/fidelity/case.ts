/** What a case of the corpus is. */

/**
 * Some entries in layers, lowest first. Cases that keep to a directory of their own share one image: they are given
 * its name with a slash, to be put before every path. Cases that are about the root, or that stop another program, are
 * images of their own, and are given nothing.
 */
export interface Case {
  /** Few words; in a shared image, the name of its directory. */
  readonly name: string;
  /** The entries of each layer. */
  readonly layers: (at: string) => readonly (readonly Uint8Array[])[];
  /**
   * In what the mount differs from the other program's tree, as `compareTrees` tells it, with paths inside the case's
   * directory and `T` for a time of today; none by default. `reason` is a number of docs/layer-application.md.
   */
  readonly differences?: { readonly reason: number; readonly lines: readonly string[] };
  /**
   * Why umoci does not unpack it, a number of docs/layer-application.md. Then GNU tar does, which has no idea of layers:
   * so it is only for images of one layer.
   */
  readonly umociRefuses?: { readonly reason: number; readonly message: RegExp };
}
