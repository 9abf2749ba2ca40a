/** Spans that have been taken, by archive-wide numbers; a span is looked at again only as often as its neighbours go. */
export class SpanMarks {
  /** For each span, one at or after it that may be free; one more than there are spans. */
  #next: Uint32Array;

  /** None is taken. */
  constructor(spanCount: number) {
    this.#next = Uint32Array.from({ length: spanCount + 1 }, (_, span) => span);
  }

  /** Takes the spans of [firstSpan, endSpan) that are free; where each run of them begins and ends, ascending. */
  *take(firstSpan: number, endSpan: number): Generator<{ firstSpan: number; endSpan: number }> {
    for (let span = this.#free(firstSpan); span < endSpan; span = this.#free(span)) {
      let end = span;
      for (; end < endSpan && this.#next[end] === end; end++) this.#next[end] = end + 1;
      yield { firstSpan: span, endSpan: end };
    }
  }

  /** The first free span at or after `span`; the number of spans where there is none. */
  #free(span: number): number {
    let free = span;
    while (this.#next[free] !== free) free = this.#next[free]!;
    for (let at = span; this.#next[at] !== at;) {
      const next = this.#next[at]!;
      this.#next[at] = free;
      at = next;
    }
    return free;
  }
}
