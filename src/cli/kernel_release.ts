/** From this one on, a server can have the kernel send again what the one before it has not answered. */
export const RESEND_SINCE = [6, 9] as const;

/** Whether a kernel, as uname(2) names it (`6.9.3-generic`), is of this version or a later one. */
export function isKernelSince(release: string, [major, minor]: readonly [major: number, minor: number]): boolean {
  const match = /^(\d+)\.(\d+)/.exec(release);
  if (match === null) return false;
  return Number(match[1]) > major || (Number(match[1]) === major && Number(match[2]) >= minor);
}
