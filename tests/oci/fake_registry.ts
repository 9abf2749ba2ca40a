/** An OCI registry in this process, over real HTTP, that misbehaves as told. */
import { Digester, sha256 } from "../../src/base/mod.ts";

/** What a registry does to one request instead of what it should. */
export type Fault =
  | { kind: "status"; status: number; headers?: Record<string, string>; body?: string }
  /** Breaks the connection after so many bytes of the body. */
  | { kind: "cut"; afterBytes: number }
  /** Sends so many bytes of the body, and no more, but keeps the connection. */
  | { kind: "stall"; afterBytes: number }
  | { kind: "ignoreRange" }
  | { kind: "contentRange"; value: string | undefined }
  /** A body of another length than it should have, without a Content-Length. */
  | { kind: "wrongLength"; addBytes: number }
  | { kind: "redirect"; location: string }
  /** Nothing is wrong. */
  | { kind: "none" };

/** What the registry was asked. */
export interface SeenRequest {
  method: string;
  path: string;
  query: string;
  range: string | null;
  authorization: string | null;
  body: string;
}

/** How a registry asks for a login. */
export interface LoginRules {
  /** The WWW-Authenticate header. */
  challenge: string;
  /** Whether a request's Authorization will do. */
  accepts(authorization: string | null): boolean;
}

/** A registry under test. */
export interface FakeRegistry {
  host: string;
  origin: string;
  seen: SeenRequest[];
  /** Consumed by requests for content (not by pings), first to last; afterwards `always` applies. */
  faults: Fault[];
  always: Fault;
  login: LoginRules | undefined;
  /** By digest, served for every repository. */
  blobs: Map<string, Uint8Array<ArrayBuffer>>;
  /** By tag or digest. */
  manifests: Map<string, { bytes: Uint8Array<ArrayBuffer>; mediaType: string; headers?: Record<string, string> }>;
  /** Answers before everything else, where it returns something. */
  handler: ((request: Request, url: URL) => Response | Promise<Response> | undefined) | undefined;
  addBlob(bytes: Uint8Array<ArrayBuffer>): string;
  addManifest(value: unknown, mediaType: string, tag?: string): string;
  /** Waits so long, or until the registry is stopped: handlers leave no timers behind. */
  pause(delayMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a registry on a free port of 127.0.0.1. */
export function startFakeRegistry({ hostname = "127.0.0.1" }: { hostname?: string } = {}): FakeRegistry {
  const stopper = new AbortController();
  const releases = new Set<() => void>();
  const server = Deno.serve({ port: 0, hostname, signal: stopper.signal, onListen: () => {} }, (request) => {
    return answer(registry, request, releases);
  });
  const host = `${hostname}:${server.addr.port}`;
  const registry: FakeRegistry = {
    host,
    origin: `http://${host}`,
    seen: [],
    faults: [],
    always: { kind: "none" },
    login: undefined,
    blobs: new Map(),
    manifests: new Map(),
    handler: undefined,
    addBlob(bytes) {
      const digest = sha256(bytes);
      this.blobs.set(digest, bytes);
      return digest;
    },
    addManifest(value, mediaType, tag) {
      const bytes = typeof value === "string" ? encode(value) : encode(JSON.stringify(value));
      const digest = sha256(bytes);
      this.manifests.set(digest, { bytes, mediaType });
      if (tag !== undefined) this.manifests.set(tag, { bytes, mediaType });
      return digest;
    },
    pause: (delayMs) => pause(delayMs, releases),
    async stop() {
      for (const release of releases) release();
      stopper.abort();
      await server.finished;
    },
  };
  return registry;
}

async function answer(registry: FakeRegistry, request: Request, releases: Set<() => void>): Promise<Response> {
  const url = new URL(request.url);
  registry.seen.push({
    method: request.method,
    path: url.pathname,
    query: url.search,
    range: request.headers.get("range"),
    authorization: request.headers.get("authorization"),
    body: request.method === "POST" ? await request.clone().text() : "",
  });
  const special = await registry.handler?.(request, url);
  if (special !== undefined) return special;
  if (registry.login !== undefined && !registry.login.accepts(request.headers.get("authorization"))) {
    const headers = { "www-authenticate": registry.login.challenge };
    return Response.json({ errors: [{ code: "UNAUTHORIZED", message: "no" }] }, { status: 401, headers });
  }
  if (url.pathname === "/v2/") return new Response("{}");
  const fault = registry.faults.shift() ?? registry.always;
  if (fault.kind === "status") {
    return new Response(fault.body ?? "", { status: fault.status, headers: fault.headers ?? {} });
  }
  if (fault.kind === "redirect") return new Response(null, { status: 307, headers: { location: fault.location } });
  const match = /\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname);
  if (match?.[1] === "manifests") {
    const manifest = registry.manifests.get(match[2]!);
    if (manifest === undefined) return notFound("MANIFEST_UNKNOWN");
    const headers = { "content-type": manifest.mediaType, ...manifest.headers };
    return body(manifest.bytes, { status: 200, headers, fault, releases });
  }
  const blob = match === null ? undefined : registry.blobs.get(match[2]!);
  return blob === undefined ? notFound("BLOB_UNKNOWN") : serveBlob(blob, request, fault, releases);
}

/** A blob, or the part of it that the request's Range names. */
export function serveBlob(
  blob: Uint8Array<ArrayBuffer>,
  request: Request,
  fault: Fault = { kind: "none" },
  releases: Set<() => void> = new Set(),
): Response {
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
  if (match === null || fault.kind === "ignoreRange") return body(blob, { status: 200, headers: {}, fault, releases });
  const first = Number(match[1]);
  const last = Math.min(Number(match[2]), blob.length - 1);
  if (first > last) return new Response("", { status: 416 });
  const contentRange = fault.kind === "contentRange" ? fault.value : `bytes ${first}-${last}/${blob.length}`;
  const headers: Record<string, string> = contentRange === undefined ? {} : { "content-range": contentRange };
  return body(blob.slice(first, last + 1), { status: 206, headers, fault, releases });
}

function body(
  bytes: Uint8Array<ArrayBuffer>,
  { status, headers, fault, releases }: {
    status: number;
    headers: Record<string, string>;
    fault: Fault;
    releases: Set<() => void>;
  },
): Response {
  const full = { ...headers, "content-length": `${bytes.length}` };
  if (fault.kind === "cut") {
    let sent = false;
    const stream = new ReadableStream({
      async pull(controller) {
        // The pause lets the first bytes reach the client before the connection breaks.
        if (sent) await pause(20, releases);
        // Ending before Content-Length makes the server break the connection.
        if (sent || fault.afterBytes === 0) {
          try {
            return controller.close();
          } catch {
            // The client went away before.
            return;
          }
        }
        sent = true;
        controller.enqueue(bytes.slice(0, fault.afterBytes));
      },
    });
    return new Response(stream, { status, headers: full });
  }
  if (fault.kind === "stall") {
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes.slice(0, fault.afterBytes));
        releases.add(() => {
          try {
            controller.close();
          } catch {
            // The client went away before.
          }
        });
      },
    });
    return new Response(stream, { status, headers: full });
  }
  if (fault.kind === "wrongLength") {
    const other = new Uint8Array(bytes.length + fault.addBytes);
    other.set(bytes.subarray(0, Math.min(bytes.length, other.length)));
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(other);
        controller.close();
      },
    });
    return new Response(stream, { status, headers });
  }
  return new Response(bytes, { status, headers: full });
}

function pause(delayMs: number, releases: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs);
    releases.add(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function notFound(code: string): Response {
  return Response.json({ errors: [{ code, message: "unknown" }] }, { status: 404 });
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

/** A small image for `platform` in `registry`, under `tag`; its layers are noise. */
export function addImage(
  registry: FakeRegistry,
  { tag, platform = { os: "linux", architecture: "amd64" }, layers = [noise(5000, 1), noise(300, 2)] }: {
    tag?: string;
    platform?: { os: string; architecture: string; variant?: string };
    layers?: Uint8Array<ArrayBuffer>[];
  } = {},
): { digest: string; sizeBytes: number; layers: Uint8Array<ArrayBuffer>[]; manifest: Record<string, unknown> } {
  const config = encode(JSON.stringify({
    ...platform,
    config: { Env: ["PATH=/bin"], Cmd: ["/bin/sh"], Labels: null },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => sha256(layer)) },
  }));
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: registry.addBlob(config),
      size: config.length,
    },
    layers: layers.map((layer) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      digest: registry.addBlob(layer),
      size: layer.length,
    })),
  };
  const digest = registry.addManifest(manifest, manifest.mediaType, tag);
  return { digest, sizeBytes: JSON.stringify(manifest).length, layers, manifest };
}

/** `sizeBytes` bytes that look random and are the same every time. */
export function noise(sizeBytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed * 2654435761 >>> 0 || 1;
  for (let i = 0; i < sizeBytes; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** The sha512 digest of `bytes`. */
export function sha512(bytes: Uint8Array): string {
  const digester = new Digester("sha512");
  digester.update(bytes);
  return digester.digest();
}
