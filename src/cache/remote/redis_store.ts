import { Buffer } from "node:buffer";
import type { Redis } from "ioredis";
import { ClipError, messageOf, UsageError } from "../../base/mod.ts";
import { decodeCredential, describeStorageUrl, refuseParts } from "../../storage/mod.ts";
import type { ContentStore } from "./content_store.ts";
import { orAborted } from "./deadline.ts";

const DEFAULT_PORT = 6379;
const CONNECT_TIMEOUT_MS = 5000;
/** A connection that owes an answer for so long is given up, and another made. */
const SILENCE_MS = 5000;
const MAX_RECONNECT_DELAY_MS = 2000;
/** A server that does not take leave is left after so long. */
const CLOSE_TIMEOUT_MS = 200;

/** Answers by which a server takes no writes and goes on serving reads. Source: Redis's own error prefixes. */
const WRITES_REFUSED: readonly [RegExp, "denied" | "limit"][] = [
  [/^OOM /, "limit"],
  [/^(NOPERM|READONLY|MISCONF|NOREPLICAS) /, "denied"],
];

/** Where a Redis server is, and who asks it. */
interface RedisPlace {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: Record<string, never>;
}

/**
 * Values as strings of a Redis server under their bare keys: `redis://[user][:password@]host[:port][/database]`, with
 * TLS `rediss://`. What the server throws away, and when, is left to its
 * own settings: nothing gets a time to live.
 * @throws {UsageError} for other paths, or a query.
 */
export function openRedisStore(url: URL): ContentStore {
  refuseParts(url, "remote cache", { query: true });
  const database = /^\/?(\d{0,9})$/.exec(url.pathname)?.[1];
  if (database === undefined) {
    throw new UsageError(`remote cache ${describeStorageUrl(url)}: the path is the number of a database, or nothing`);
  }
  const username = decodeCredential(url, "remote cache", "username");
  const password = decodeCredential(url, "remote cache", "password");
  return new RedisStore(describeStorageUrl(url), {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    db: Number(database),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(url.protocol === "rediss:" ? { tls: {} } : {}),
  });
}

class RedisStore implements ContentStore {
  readonly description: string;
  #place: RedisPlace;
  #client: Promise<Redis> | undefined;
  #isClosed = false;
  /** Why there is no connection; undefined while there is one. */
  #down: string | undefined = "not connected yet";
  /** Settles with the first attempt to connect. */
  #firstAttempt = Promise.withResolvers<void>();

  constructor(description: string, place: RedisPlace) {
    this.description = description;
    this.#place = place;
  }

  connect(): void {
    this.#open().catch(() => {}); // told to whoever asks
  }

  #open(): Promise<Redis> {
    return this.#client ??= this.#start(this.#place);
  }

  async #start(place: RedisPlace): Promise<Redis> {
    const { Redis } = await import("./redis_client.ts");
    const client = new Redis({
      ...place,
      protocol: 2, // has all that is needed, and every server speaks it
      lazyConnect: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_MS,
      disconnectTimeout: CLOSE_TIMEOUT_MS / 2,
      retryStrategy: (times) => Math.min(100 * 2 ** Math.min(times, 10), MAX_RECONNECT_DELAY_MS),
      // No read waits for a connection, and none is sent twice.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      // It would ask for INFO, which a user of nothing but keys may not.
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    client.on("ready", () => {
      this.#down = undefined;
      this.#firstAttempt.resolve();
    });
    client.on("error", (error: Error) => {
      this.#down = messageOf(error);
      this.#firstAttempt.resolve();
    });
    client.on("close", () => {
      this.#down ??= "the connection was closed";
      this.#firstAttempt.resolve();
    });
    // That it failed is told by the event; it is tried again.
    if (!this.#isClosed) client.connect().catch(() => {});
    return client;
  }

  async get(key: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    // Not GET: whatever somebody has put there, no more than this is sent. The end is inclusive, so one byte too many.
    const value = await this.#ask((client) => client.getrangeBuffer(key, 0, maxBytes), signal);
    if (value.length > maxBytes) {
      throw new ClipError("limit", `it has more than ${maxBytes} bytes`);
    }
    // A key that is not there reads as an empty string; no value is empty.
    if (value.length === 0) return undefined;
    const isWhole = value.byteLength === value.buffer.byteLength && value.buffer instanceof ArrayBuffer;
    return isWhole ? new Uint8Array(value.buffer as ArrayBuffer) : new Uint8Array(value);
  }

  async has(key: string, signal: AbortSignal): Promise<boolean> {
    return await this.#ask((client) => client.exists(key), signal) === 1;
  }

  async put(key: string, value: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    await this.#ask((client) => client.set(key, Buffer.from(value.buffer, value.byteOffset, value.length)), signal);
  }

  async #ask<Answer>(command: (client: Redis) => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    const client = await orAborted(this.#open(), signal);
    await orAborted(this.#firstAttempt.promise, signal);
    if (this.#down !== undefined) throw storeError("network", this.#down);
    try {
      return await orAborted(command(client), signal);
    } catch (error) {
      signal.throwIfAborted();
      const message = messageOf(error);
      const refused = WRITES_REFUSED.find(([pattern]) => pattern.test(message));
      throw storeError(refused?.[1] ?? "network", this.#down ?? message);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#firstAttempt.resolve();
    const client = await this.#client?.catch(() => undefined);
    if (client === undefined || client.status === "end" || client.status === "wait") return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
      client.once("end", () => {
        clearTimeout(timer);
        resolve();
      });
      client.disconnect();
    });
  }
}

function storeError(code: "network" | "denied" | "limit", message: string): ClipError {
  return new ClipError(code, message, { retryable: code === "network" });
}
