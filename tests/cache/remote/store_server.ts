/** Real servers behind remote caches. */
import type { Need, Workbench } from "../../e2e/workbench.ts";
import type { ServerProcess } from "./server_process.ts";

/** A server with an empty store, which ends with the test. */
export interface StoreServer {
  /** Names the store, credentials included. */
  readonly url: string;
  /** What the URL does not say. */
  readonly env: Record<string, string>;
  readonly process: ServerProcess;
  /** Writes a value as others would: not through clip. */
  plant(key: string, value: Uint8Array): Promise<void>;
  /** The value as others see it; undefined where there is none. */
  peek(key: string): Promise<Uint8Array | undefined>;
  /** Leaves the server no room for a further value of 256 KiB. */
  fill(): Promise<void>;
  /** Takes back `fill`. */
  makeRoom(): Promise<void>;
}

/** A kind of server that tests can have. */
export interface StoreServerKind {
  readonly name: string;
  /** What it takes to run it. */
  readonly needs: readonly Need[];
  /** Starts one; it ends with the test. */
  start(bench: Workbench): Promise<StoreServer>;
}
