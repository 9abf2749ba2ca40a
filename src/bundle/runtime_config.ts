/** The parts of an OCI runtime configuration that clip writes. Source: runtime-spec config.md, config-linux.md, 1.0.2. */

/** A file system to be mounted in the container. */
export interface RuntimeMount {
  /** Absolute path in the container. */
  readonly destination: string;
  /** As mount(8) takes it; `none` for what is on the machine already. */
  readonly type: string;
  /** What is mounted. */
  readonly source: string;
  /** Of mount(8), and some of runtimes' own. */
  readonly options?: readonly string[];
}

/** Who a process runs as. */
export interface RuntimeUser {
  /** 0 to 2^32−2. */
  readonly uid: number;
  /** 0 to 2^32−2. */
  readonly gid: number;
  /** Further groups, of the same range. */
  readonly additionalGids?: readonly number[];
}

/** The process to start. */
export interface RuntimeProcess {
  /** Whether it gets a terminal of its own. */
  readonly terminal: boolean;
  /** Who it runs as. */
  readonly user: RuntimeUser;
  /** The program, by path or on the PATH of `env`, and its arguments. */
  readonly args: readonly string[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
  /** Absolute path in the container. */
  readonly cwd: string;
  /** What root in the container may do, by name, `CAP_…`. */
  readonly capabilities: {
    readonly bounding: readonly string[];
    readonly effective: readonly string[];
    readonly permitted: readonly string[];
  };
  /** Whether setuid programs stay without effect. */
  readonly noNewPrivileges: boolean;
}

/** `config.json` of a bundle. */
export interface RuntimeConfig {
  /** Of the runtime-spec. */
  readonly ociVersion: string;
  /** What is started. */
  readonly process: RuntimeProcess;
  /** The root file system; the path is from the bundle's folder. */
  readonly root: { readonly path: string; readonly readonly: boolean };
  /** Of the container's own UTS namespace. */
  readonly hostname: string;
  /** In the order of mounting. */
  readonly mounts: readonly RuntimeMount[];
  /** What is told about it, by name. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What is Linux's: devices, namespaces, and paths that are hidden or cannot be written to. */
  readonly linux: {
    readonly resources: { readonly devices: readonly { readonly allow: boolean; readonly access: string }[] };
    readonly namespaces: readonly { readonly type: string }[];
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
  };
}
