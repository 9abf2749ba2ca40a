/** What a container gets whatever its image says: what containerd and runc give it by default. */
import type { RuntimeMount } from "./runtime_config.ts";

/** Where a container runs, as far as its configuration depends on it. */
export interface RuntimeSetting {
  /** The machine's network, or one with nothing but a loopback device. */
  readonly network: "host" | "none";
  /** Whether control groups are those of version 2. */
  readonly cgroup2: boolean;
  /** Whether the runtime is in a user namespace, where not every group and file system can be had. */
  readonly userNamespace: boolean;
}

/** Those of Docker, podman and containerd: enough for an entrypoint that changes owners and then its user. */
export const CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

/** Hidden from the container: what would tell of, or change, the machine. */
export const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
  "/proc/scsi",
];

/** Visible, but not to be written to. */
export const READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** Where programs are looked for if the image does not say. */
export const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The file systems of every container, in the order of mounting. */
export function standardMounts({ network, cgroup2, userNamespace }: RuntimeSetting): RuntimeMount[] {
  const quiet = ["nosuid", "noexec", "nodev"];
  const pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
  const ownSys: RuntimeMount = { destination: "/sys", type: "sysfs", source: "sysfs", options: [...quiet, "ro"] };
  // The machine's network belongs to another user namespace, whose sysfs cannot be mounted anew.
  const hostSys: RuntimeMount = {
    destination: "/sys",
    type: "none",
    source: "/sys",
    options: ["rbind", ...quiet, "ro"],
  };
  const cgroup = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" };
  return [
    { destination: "/proc", type: "proc", source: "proc", options: quiet },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    // Group 5, tty, where it exists.
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: userNamespace ? pts : [...pts, "gid=5"] },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...quiet, "mode=1777", "size=65536k"] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: quiet },
    ...(userNamespace && network === "host" ? [hostSys] : [ownSys]),
    ...(userNamespace && !cgroup2 ? [] : [{ ...cgroup, options: [...quiet, "relatime", "ro"] }]),
  ];
}

/** The kinds of namespaces that are the container's own. */
export function namespaces({ network, cgroup2 }: RuntimeSetting): { type: string }[] {
  const types = ["pid", "ipc", "uts", "mount"];
  if (network === "none") types.push("network");
  if (cgroup2) types.push("cgroup");
  return types.map((type) => ({ type }));
}
