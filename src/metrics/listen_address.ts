import { UsageError } from "../base/mod.ts";

/** Where to listen. */
export type ListenAddress =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/** The address meant by `unix:/path`, `127.0.0.1:9100`, `[::1]:9100`. @throws {UsageError} when it is none. */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path.startsWith("/") && !path.includes("\0")) return { transport: "unix", path };
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new UsageError(`"${text}" is no address; write it like 127.0.0.1:9100, [::1]:9100 or unix:/run/clip.sock`);
  }
  return { transport: "tcp", hostname: match[1] ?? match[2]!, port };
}

/** The address as {@linkcode parseListenAddress} reads it. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  const { hostname, port } = address;
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
