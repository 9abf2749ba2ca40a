import { readlinkSync } from "node:fs";
import { ClipError, type Digest, digestHex } from "../base/mod.ts";
import { errnoName, libc, sendDatagram } from "../fuse/mod.ts";
import type { Io } from "./io.ts";

/** Descriptors that the service manager passes on begin with this one. Source: sd_listen_fds(3). */
const FIRST_FD = 3;
const MAX_FDS = 64;
/** What the connection of a mount is called in the service manager's store: this, and the tree that is mounted. */
const FD_NAME = /^clip-mount-([0-9a-f]{64})$/;

/** A connection that was stored. */
export interface StoredConnection {
  readonly fd: number;
  /** Digest of the tree that the mount shows. */
  readonly tree: Digest;
}

/**
 * The service manager that has started this process, such as systemd: it is told how far a mount has got, and may keep
 * its connection to the kernel, so that the next server goes on where this one ended. Source: sd_notify(3),
 * sd_listen_fds(3), sd_pid_notify_with_fds(3).
 */
export class ServiceManager {
  readonly #socket: string;
  readonly #io: Pick<Io, "env">;
  /** Of what is stored. */
  #name: string | undefined;

  private constructor(socket: string, io: Pick<Io, "env">) {
    this.#socket = socket;
    this.#io = io;
  }

  /** undefined where none wants to be told of anything. @throws {ClipError} when its socket is no path. */
  static find(io: Pick<Io, "env">): ServiceManager | undefined {
    const socket = io.env("NOTIFY_SOCKET");
    if (socket === undefined || socket === "") return undefined;
    if (!/^[/@]./.test(socket)) throw new ClipError("usage", `NOTIFY_SOCKET is neither a path nor abstract: ${socket}`);
    return new ServiceManager(socket, io);
  }

  /** The connection of a mount that a server before this one has stored; closed on exec. undefined: there is none. */
  takeStored(): StoredConnection | undefined {
    if (this.#io.env("LISTEN_PID") !== `${Deno.pid}`) return undefined;
    const count = Math.min(MAX_FDS, Number(this.#io.env("LISTEN_FDS") ?? 0));
    const names = (this.#io.env("LISTEN_FDNAMES") ?? "").split(":");
    for (let index = 0; index < count; index++) {
      const fd = FIRST_FD + index;
      const hex = FD_NAME.exec(names[index] ?? "")?.[1];
      if (hex === undefined || !isFuseDevice(fd)) continue;
      libc().setCloseOnExec(fd, true);
      this.#name = names[index]!;
      return { fd, tree: `sha256:${hex}` as Digest };
    }
    return undefined;
  }

  /** Has the connection of a mount of this tree kept. @throws {ClipError} */
  store(fd: number, tree: Digest): void {
    this.#name = `clip-mount-${digestHex(tree)}`;
    this.#tell(`FDSTORE=1\nFDNAME=${this.#name}`, fd);
  }

  /** Has it forgotten: the mount is gone. @throws {ClipError} */
  forget(): void {
    if (this.#name !== undefined) this.#tell(`FDSTOREREMOVE=1\nFDNAME=${this.#name}`);
    this.#name = undefined;
  }

  /** Says that the mount answers. @throws {ClipError} */
  ready(mountpoint: string): void {
    this.#tell(`READY=1\nSTATUS=Serving ${mountpoint.replaceAll("\n", "?")}`);
  }

  #tell(text: string, fd?: number): void {
    const failure = sendDatagram(this.#socket, text, fd);
    if (failure < 0) {
      throw new ClipError("io", `cannot tell the service manager at ${this.#socket}: ${errnoName(-failure)}`);
    }
  }
}

function isFuseDevice(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === "/dev/fuse";
  } catch {
    return false;
  }
}
