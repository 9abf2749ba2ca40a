/** Checks of what clip needs of the machine. */
import { fail, type Finding, ok, warn } from "./finding.ts";
import { isKernelSince, RESEND_SINCE } from "../kernel_release.ts";
import type { Machine } from "./machine.ts";

/** Source: Linux include/linux/miscdevice.h, MISC_MAJOR and FUSE_MINOR. */
const FUSE_DEVICE = 10 * 256 + 229;
const S_ISUID = 0o4000;
/** A mount has some tens open: caches, connections, Workers. */
const MIN_OPEN_FILES = 256;
/** What supervisors are made of. */
const SUPERVISOR_TOOLS = ["sh", "setsid", "umount", "mkfifo", "cat", "rm"];

/** All of them, in the order in which a mount needs things. */
export function checkMachine(machine: Machine): Finding[] {
  return [
    checkKernel(machine),
    checkForeignFunctions(machine),
    checkWasm(machine),
    checkDevice(machine),
    checkFusermount(machine),
    checkAllowOther(machine),
    checkTools(machine),
    checkOpenFiles(machine),
    checkMemory(machine),
  ].filter((finding) => finding !== undefined);
}

/** Source: commit messages of fs/fuse, 5.4 for what INIT negotiates, 6.9 for FUSE_NOTIFY_RESEND. */
function checkKernel({ kernelRelease }: Machine): Finding {
  const says = `Linux ${kernelRelease}`;
  if (!isKernelSince(kernelRelease, [5, 4])) return fail("kernel", says, "clip is made for 5.4 or newer");
  if (isKernelSince(kernelRelease, RESEND_SINCE)) return ok("kernel", `${says}, mounts can outlive their servers`);
  return warn("kernel", says, "mounts end with their servers; from 6.9 on the next server takes over");
}

function checkForeignFunctions(machine: Machine): Finding {
  const why = machine.whyNoForeignFunctions();
  if (why === undefined) return ok("C library", "can be called");
  return fail("C library", why, "mounts and caches need glibc or musl, and that nothing forbids to load it");
}

function checkWasm(machine: Machine): Finding {
  const why = machine.whyNoWasm();
  if (why === undefined) return ok("WebAssembly", "runs");
  return warn("WebAssembly", why, "use --inflate pako; zstd layers cannot be read");
}

function checkDevice(machine: Machine): Finding {
  const device = "/dev/fuse";
  const why = machine.tryOpen(device);
  if (why === undefined) {
    if (machine.deviceOf(device) === FUSE_DEVICE) return ok(device, "can be opened");
    return fail(device, "it is not the kernel's device", "make it: rm /dev/fuse; mknod -m 666 /dev/fuse c 10 229");
  }
  if (why === "ENOENT" || why === "ENXIO" || why === "ENODEV") {
    const advice = "load the kernel's module (modprobe fuse), or give the container the device (--device /dev/fuse)";
    return fail(device, `there is none (${why})`, advice);
  }
  const advice = "let this user read and write it (chmod 666), or give the container the device (--device /dev/fuse)";
  return fail(device, `it cannot be opened (${why})`, advice);
}

function checkFusermount(machine: Machine): Finding {
  const program = machine.findProgram("fusermount3") ?? machine.findProgram("fusermount");
  const advice = "install fuse3";
  if (program === undefined) {
    if (machine.uid === 0) return ok("fusermount3", "is not installed; root does not need it");
    return fail("fusermount3", "is not installed, and only root can mount without it", advice);
  }
  const isSetuid = (program.mode & S_ISUID) !== 0 && program.uid === 0;
  if (isSetuid || machine.uid === 0) return ok("fusermount3", program.path);
  return fail(
    "fusermount3",
    `${program.path} is not setuid root`,
    `chown root ${program.path}; chmod u+s ${program.path}`,
  );
}

function checkAllowOther(machine: Machine): Finding | undefined {
  if (machine.uid === 0) return undefined;
  const allows = /^user_allow_other\s*$/m.test(machine.readText("/etc/fuse.conf") ?? "");
  if (allows) return ok("--allow-other", "is allowed to users");
  const advice = "containers of other users and root need it: a line user_allow_other in /etc/fuse.conf";
  return warn("--allow-other", "is not allowed to users", advice);
}

function checkTools(machine: Machine): Finding {
  const missing = SUPERVISOR_TOOLS.filter((name) => machine.findProgram(name) === undefined);
  if (missing.length === 0) return ok("supervisor", `${SUPERVISOR_TOOLS.join(", ")} are there`);
  return fail("supervisor", `${missing.join(", ")} not found`, "clip mount --daemon needs them: coreutils, util-linux");
}

function checkOpenFiles(machine: Machine): Finding {
  const limits = machine.readText("/proc/self/limits") ?? "";
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  if (soft === undefined) return warn("open files", "the limit cannot be read", "mount /proc");
  const says = `at most ${soft}`;
  if (soft === "unlimited" || Number(soft) >= MIN_OPEN_FILES) return ok("open files", says);
  return warn("open files", says, `raise it to ${MIN_OPEN_FILES} or more (ulimit -n)`);
}

function checkMemory(machine: Machine): Finding {
  const limits = machine.readText("/proc/self/limits") ?? "";
  const soft = /^Max address space\s+(\d+|unlimited)/m.exec(limits)?.[1] ?? "unlimited";
  if (soft === "unlimited") return ok("address space", "unlimited");
  return warn("address space", `at most ${soft} bytes`, "V8 reserves much more than it uses: ulimit -v unlimited");
}
