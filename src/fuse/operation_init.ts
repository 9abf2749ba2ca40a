import { FUSE_KERNEL_MINOR_VERSION, FUSE_KERNEL_VERSION, FUSE_MIN_READ_BUFFER, InHeader, InitFlag } from "./abi.ts";
import { InitFlag2, InitIn, InitOut, OLDEST_MINOR_VERSION } from "./abi.ts";
import { Errno } from "./errno.ts";
import { BODY, type Exchange } from "./exchange.ts";

/** The smallest size of writes that may be named: it bounds the buffer that requests are read into, not READs. */
const MAX_WRITE_BYTES = 4096;
/** Pages in a request where the kernel has no MAX_PAGES. Source: linux fs/fuse FUSE_DEFAULT_MAX_PAGES_PER_REQ. */
const DEFAULT_MAX_PAGES = 32;
/** The body of INIT from kernels that have no `flags2`. */
const SHORT_INIT_BYTES = 16;

/** The shortest body of INIT. */
export const MIN_INIT_BYTES = SHORT_INIT_BYTES;

/**
 * INIT: settles the version and the features. Nothing that other requests need is kept of it, so that a server that
 * takes over a living mount, and never sees an INIT, serves as well.
 *
 * - ASYNC_READ: several READs of one file at a time. PARALLEL_DIROPS: lookups and listings of one directory too.
 * - DO_READDIRPLUS without READDIRPLUS_AUTO: always, since attributes cost nothing here.
 * - CACHE_SYMLINKS: a target is asked for once.
 * - MAX_PAGES: READs of up to 1 MiB; the kernel's default is 128 KiB.
 * - ALLOW_IDMAP: the mount may be mapped for containers with a user namespace. The kernel refuses the INIT when the
 *   mount lacks default_permissions, which mountFuse always sets.
 */
export function init(exchange: Exchange): number {
  const { requestView, requestBytes, reply, replyView, settings, bodyBytes } = exchange;
  const body = InHeader.sizeBytes;
  const major = requestView.getUint32(body + InitIn.major, true);
  const minor = requestView.getUint32(body + InitIn.minor, true);
  if (major < FUSE_KERNEL_VERSION || (major === FUSE_KERNEL_VERSION && minor < OLDEST_MINOR_VERSION)) {
    settings.log.error(`the kernel speaks FUSE ${major}.${minor}; 7.${OLDEST_MINOR_VERSION} or newer is needed`);
    return -Errno.EPROTO;
  }
  reply.fill(0, BODY, BODY + InitOut.sizeBytes);
  replyView.setUint32(BODY + InitOut.major, FUSE_KERNEL_VERSION, true);
  replyView.setUint32(BODY + InitOut.minor, FUSE_KERNEL_MINOR_VERSION, true);
  // A newer kernel then sends another INIT, of our major version.
  if (major > FUSE_KERNEL_VERSION) return InitOut.sizeBytes;

  const offered = requestView.getUint32(body + InitIn.flags, true);
  const extended = requestBytes >= body + InitIn.unused && (offered & InitFlag.INIT_EXT) !== 0;
  const offeredHigh = extended ? requestView.getUint32(body + InitIn.flags2, true) : 0;
  const flagsHigh = offeredHigh & (settings.idmap ? InitFlag2.ALLOW_IDMAP : 0);
  const wanted = InitFlag.ASYNC_READ | InitFlag.DO_READDIRPLUS | InitFlag.PARALLEL_DIROPS | InitFlag.CACHE_SYMLINKS |
    InitFlag.MAX_PAGES | (flagsHigh === 0 ? 0 : InitFlag.INIT_EXT);
  const flagsLow = (offered & wanted) >>> 0;
  const pagesThatFit = Math.min(Math.floor(bodyBytes / settings.pageBytes), 0xffff);
  const maxPages = (flagsLow & InitFlag.MAX_PAGES) !== 0 ? pagesThatFit : DEFAULT_MAX_PAGES;
  if (pagesThatFit < Math.min(maxPages, DEFAULT_MAX_PAGES)) return -Errno.EINVAL;
  const maxReadaheadBytes = Math.min(
    requestView.getUint32(body + InitIn.max_readahead, true),
    settings.maxReadaheadBytes,
  );
  replyView.setUint32(BODY + InitOut.max_readahead, maxReadaheadBytes, true);
  replyView.setUint32(BODY + InitOut.flags, flagsLow, true);
  replyView.setUint32(BODY + InitOut.flags2, flagsHigh, true);
  replyView.setUint16(BODY + InitOut.max_background, settings.maxBackground, true);
  // At this many readaheads under way the kernel starts no further ones of its own accord.
  replyView.setUint16(BODY + InitOut.congestion_threshold, Math.ceil(settings.maxBackground * 3 / 4), true);
  replyView.setUint32(BODY + InitOut.max_write, MAX_WRITE_BYTES, true);
  replyView.setUint32(BODY + InitOut.time_gran, 1, true);
  replyView.setUint16(BODY + InitOut.max_pages, maxPages, true);
  settings.onInit({
    major,
    minor,
    flagsLow,
    flagsHigh,
    maxReadBytes: maxPages * settings.pageBytes,
    maxReadaheadBytes,
    hasResend: (offeredHigh & InitFlag2.HAS_RESEND) !== 0,
  });
  return InitOut.sizeBytes;
}

/** How many bytes a buffer for requests needs: the smallest the kernel takes, which MAX_WRITE_BYTES fits into. */
export const REQUEST_BYTES: number = FUSE_MIN_READ_BUFFER;
