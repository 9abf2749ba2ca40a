/** The kernel's FUSE protocol: mounting, the loop that serves requests, and the interface of what it serves. */
export { operationName } from "./abi.ts";
export { DeferredReplies, REPLY_HEADER_BYTES } from "./deferred_replies.ts";
export { Errno, errnoName, errnoOf } from "./errno.ts";
export type { DeferredRead, Negotiated, ServerObserver } from "./exchange.ts";
export type { FileSystem, FileSystemStatistics, NodeAttributes } from "./file_system.ts";
export { READ_DEFERRED } from "./file_system.ts";
export { Libc, libc, LockOperation, OpenFlag } from "./libc.ts";
export { adoptMount, type FuseMount, mountFuse, type MountOptions, setReadahead } from "./mount.ts";
export {
  isFuse,
  isFuseMounted,
  isServerGone,
  mountAt,
  type MountEntry,
  parseMounts,
  readMounts,
  resolveMountpoint,
} from "./mounts.ts";
export { FuseServer, type FuseServerOptions } from "./server.ts";
export { requestResend, serve, type ServeHooks } from "./session.ts";
export { sendDatagram } from "./socket_message.ts";
export { unmountFuse, type UnmountOptions } from "./unmount.ts";
