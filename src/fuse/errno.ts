import { ClipError } from "../base/mod.ts";

/** Error numbers, as positive numbers; these are the same on x86-64 and arm64. Source: asm-generic/errno.h. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EMSGSIZE: 90,
  EOVERFLOW: 75,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ESTALE: 116,
} as const;

/** The name of a positive error number, `ENOENT`; `errno 999` for one not in the table. */
export function errnoName(errno: number): string {
  for (const [name, value] of Object.entries(Errno)) if (value === errno) return name;
  return `errno ${errno}`;
}

/**
 * The positive error number that a reader of the mount is to see for `error`: the one translation for FUSE.
 *
 * All but one are EIO, on purpose. A caller of read(2) holds an open file, so an ENOENT that really speaks of a blob in
 * a registry, or an EACCES of its credentials, would be about something the caller has never heard of.
 */
export function errnoOf(error: unknown): number {
  return error instanceof ClipError && error.code === "aborted" ? Errno.EINTR : Errno.EIO;
}
