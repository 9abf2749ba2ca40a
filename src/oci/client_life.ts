import { ClipError } from "../base/mod.ts";
import { retryRequest } from "./retry_request.ts";
import type { SourceOptions } from "./source.ts";

/** How long a client lives: until it is closed, or who made it is told to end. All its requests end with it. */
export class ClientLife {
  readonly #name: string;
  readonly #options: Pick<SourceOptions, "signal" | "retry" | "log">;
  readonly #closer = new AbortController();
  readonly #detach: () => void;

  /** @param name Of the client, for messages. */
  constructor(name: string, options: Pick<SourceOptions, "signal" | "retry" | "log">) {
    this.#name = name;
    this.#options = options;
    const { signal } = options;
    const onAbort = () => this.#closer.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    this.#detach = () => signal?.removeEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
  }

  /** Aborted at its end. */
  get signal(): AbortSignal {
    return this.#closer.signal;
  }

  /** Ends it. */
  close(): void {
    this.#detach();
    this.#closer.abort(new ClipError("aborted", `${this.#name}: the connection to the registry was closed`));
  }

  /** The result of `work`, tried again after failures that may pass. */
  retry<Value>(work: () => Promise<Value>, signal?: AbortSignal): Promise<Value> {
    const { retry: policy, log } = this.#options;
    return retryRequest(work, { policy, signals: [this.signal, signal], log });
  }
}
