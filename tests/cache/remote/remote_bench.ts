/** Remote caches under test: what they were asked, what they logged, and spans to keep in them. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createLogger, digestHex, sha256, sha256Bytes } from "../../../src/base/mod.ts";
import { type ObservedGet, type ObservedPut, openRemoteCache, type RemoteCache } from "../../../src/cache/mod.ts";
import type { Workbench } from "../../e2e/workbench.ts";
import type { StoreServer } from "./store_server.ts";

/** Nothing but a stopped server makes a wait so long. */
const PATIENCE_MS = 60_000;

/** A span and its name. */
export interface Span {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sha256: Uint8Array;
  /** 64 hex digits. */
  readonly key: string;
}

/** The span with these bytes. */
export function spanOf(bytes: Uint8Array<ArrayBuffer>): Span {
  return { bytes, sha256: new Uint8Array(sha256Bytes(bytes)), key: digestHex(sha256(bytes)) };
}

/** A span that gzip makes much smaller; another for each `seed`. */
export function textSpan(seed: number, sizeBytes = 200_000): Span {
  let text = "";
  for (let line = 0; text.length < sizeBytes; line++) text += `line ${line} of span ${seed}\n`;
  return spanOf(new Uint8Array(new TextEncoder().encode(text.slice(0, sizeBytes))));
}

/** A span that gzip cannot make smaller. */
export function noiseSpan(sizeBytes = 200_000): Span {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return spanOf(bytes);
}

/** As `assert.deepEqual`, which takes seconds for a megabyte on older releases of Deno. */
export function assertSameBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  assert.equal(actual?.length, expected.length);
  assert.ok(Buffer.from(actual!).equals(expected), "other bytes");
}

/** A cache that is watched, and closed with the test. */
export class WatchedCache {
  readonly cache: RemoteCache;
  readonly gets: ObservedGet[] = [];
  readonly puts: ObservedPut[] = [];
  /** Lines from warnings on. */
  readonly log: string[] = [];

  /** @param servers In the order in which they are asked. */
  constructor(bench: Workbench, servers: readonly StoreServer[], { timeoutMs = 1000 }: { timeoutMs?: number } = {}) {
    const env: Record<string, string> = Object.assign({}, ...servers.map((server) => server.env));
    this.cache = openRemoteCache(servers.map(({ url }) => url), {
      timeoutMs,
      log: createLogger({ level: "warn", write: (line) => this.log.push(line) }),
      observer: { onGet: (get) => this.gets.push(get), onPut: (put) => this.puts.push(put) },
      env: (name) => env[name],
    });
    bench.defer(() => this.cache.close());
  }

  /** Asks for a span; whatever comes is that span. True where something comes. */
  async has(span: Span): Promise<boolean> {
    const bytes = await this.cache.get(span.sha256, span.bytes.length);
    if (bytes !== undefined) assertSameBytes(bytes, span.bytes);
    return bytes !== undefined;
  }

  /** Offers a span, and waits until something has become of it; what. */
  async put(span: Span): Promise<ObservedPut["result"]> {
    const before = this.puts.length;
    this.cache.offer(span.sha256, span.bytes);
    await eventually(() => this.puts.length > before);
    return this.puts[before]!.result;
  }
}

/** Asks again and again until `condition` holds. */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs = PATIENCE_MS): Promise<void> {
  for (const startedMs = performance.now(); !await condition();) {
    assert.ok(performance.now() - startedMs < timeoutMs, "it has not come to pass");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
