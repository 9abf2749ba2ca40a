/**
 * Stands for `Intl.Segmenter` in the executable: loads the rules of scripts and languages when text is taken apart, and not
 * when one is made, which the command-line library does whenever it is loaded. That takes 10 ms.
 */
export class LazySegmenter {
  readonly #arguments: unknown[];
  #segmenter: Intl.Segmenter | undefined;

  /** As of `Intl.Segmenter`. */
  constructor(...args: unknown[]) {
    this.#arguments = args;
  }

  /** As of `Intl.Segmenter`. */
  segment(text: string): Intl.Segments {
    // By this name esbuild does not know it.
    this.#segmenter ??= Reflect.construct(Reflect.get(Intl, "Segmenter"), this.#arguments) as Intl.Segmenter;
    return this.#segmenter.segment(text);
  }
}
