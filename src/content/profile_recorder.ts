import { type Archive, MAX_PROFILE_RANGES } from "../archive/mod.ts";
import type { ContentObserver } from "./observer.ts";
import type { LayerRange } from "./profile.ts";

/** Notes which spans readers touch, in order, until it is told to stop. */
export class ProfileRecorder implements ContentObserver {
  #archive: Archive;
  #ranges: LayerRange[] = [];
  #touches = 0;
  #isStopped = false;

  /** Nothing is touched yet. */
  constructor(archive: Archive) {
    this.#archive = archive;
  }

  /** What {@linkcode ContentObserver} says of `onFirstTouch`. */
  onFirstTouch(layer: number, span: number): void {
    if (this.#isStopped) return;
    const { layers, image } = this.#archive;
    const { diffId } = image.layers[layer]!;
    const plainOffset = layers.spanOffsets[span]!;
    const plainEndExclusive = layers.spanEnd(layer, span);
    const last = this.#ranges.at(-1);
    if (last?.diffId === diffId && last.plainEndExclusive === plainOffset) {
      this.#ranges[this.#ranges.length - 1] = { ...last, plainEndExclusive };
    } else if (this.#ranges.length < MAX_PROFILE_RANGES) {
      this.#ranges.push({ diffId, plainOffset, plainEndExclusive });
    }
    this.#touches++;
  }

  /** Later touches are not noted. */
  stop(): void {
    this.#isStopped = true;
  }

  /** How many spans have been noted: it is worth writing again when this has changed. */
  get touches(): number {
    return this.#touches;
  }

  /** What has been noted, neighbours that were touched one after the other put together. */
  get profile(): readonly LayerRange[] {
    return this.#ranges;
  }
}
