import { startRegistry } from "../tests/real_registry.ts";
import type { ProxyTraffic } from "./proxy_main.ts";
import { runShell } from "./run_shell.ts";
import { Skipped } from "./skipped.ts";

/** How far away a registry is. */
export interface Network {
  /** For tables. */
  readonly name: string;
  /** Added to each request. */
  readonly latencyMs: number;
  /** Of all answers together, bytes a second. */
  readonly bytesPerSecond: number;
}

/** The registry itself, and the distances of the aims. */
export const NETWORKS = {
  loopback: { name: "loopback", latencyMs: 0, bytesPerSecond: Infinity },
  near: { name: "20 ms, 1 Gbit/s", latencyMs: 20, bytesPerSecond: 125e6 },
  far: { name: "20 ms, 100 Mbit/s", latencyMs: 20, bytesPerSecond: 12.5e6 },
} as const satisfies Record<string, Network>;

/** A real registry with what was pushed to it, and proxies before it. */
export class BenchRegistry {
  /** `HOST:PORT`, without a proxy. */
  readonly host: string;
  readonly #stops: (() => Promise<void>)[];

  private constructor(host: string, stop: () => Promise<void>) {
    this.host = host;
    this.#stops = [stop];
  }

  /** An empty one. @throws {Skipped} where there is no docker-registry. */
  static async start(): Promise<BenchRegistry> {
    const registry = await startRegistry();
    if (registry === undefined) throw new Skipped("docker-registry is not installed");
    return new BenchRegistry(registry.host, registry.stop);
  }

  /** Pushes an image, as skopeo names it, to `bench/NAME:v1`. */
  async push(reference: string, name: string): Promise<void> {
    const script = `skopeo --insecure-policy copy --quiet --dest-tls-verify=false "$1" "$2"`;
    await runShell(script, [reference, `docker://${this.host}/bench/${name}:v1`]);
  }

  /** The registry behind a network, until the bench ends. */
  async proxy({ latencyMs, bytesPerSecond }: Network): Promise<BenchProxy> {
    const proxy = await BenchProxy.start(this.host, [`${latencyMs}`, `${bytesPerSecond}`]);
    this.#stops.push(() => proxy.stop());
    return proxy;
  }

  /** Ends it all. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.reverse()) await stop();
  }
}

/** A proxy in a process of its own. */
export class BenchProxy {
  /** `HOST:PORT`. */
  readonly host: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  private constructor(host: string, child: Deno.ChildProcess, lines: AsyncIterator<string>) {
    this.host = host;
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#lines = lines;
  }

  /** @param network Latency in ms and bytes a second, as proxy_main takes them. */
  static async start(upstream: string, network: readonly string[]): Promise<BenchProxy> {
    const main = new URL("proxy_main.ts", import.meta.url).pathname;
    const args = ["run", "-A", "--quiet", main, upstream, ...network];
    const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
    const lines = linesOf(child.stdout);
    return new BenchProxy((await lines.next()).value!, child, lines);
  }

  /** What went through since it was asked before. */
  async traffic(): Promise<ProxyTraffic> {
    await this.#input.write(new TextEncoder().encode("\n"));
    return JSON.parse((await this.#lines.next()).value!);
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    await this.#input.close();
    await this.#child.status;
  }
}

/** Bytes of blobs that went through. */
export function blobBytes({ blobs }: ProxyTraffic): number {
  return blobs.reduce((bytes, { bodyBytes }) => bytes + bodyBytes, 0);
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (text + piece).split("\n");
    text = lines.pop()!;
    yield* lines;
  }
}
