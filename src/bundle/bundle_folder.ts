import { ClipError, messageOf, writeFileAtomically } from "../base/mod.ts";
import { isFuseMounted, unmountFuse } from "../fuse/mod.ts";
import { isMounted, mountOverlay, mountTmpfs, type OverlayPlaces, unmount } from "./overlay.ts";
import type { RuntimeConfig } from "./runtime_config.ts";

/** The layout of a bundle. `config.json` and `rootfs` are what runtimes and other tools expect; the rest is clip's. */
export const BundlePart = {
  config: "config.json",
  /** The container's root: an overlay. */
  rootfs: "rootfs",
  /** The image, mounted. */
  lower: "lower",
  /** What the container writes: a directory, or a file system in memory. */
  writable: "writable",
} as const;

/** Owner and mode of a directory that stands for one of the image. */
export interface DirectoryAttributes {
  /** The last twelve bits of the mode. */
  readonly mode: number;
  /** Owner. */
  readonly uid: number;
  /** Group. */
  readonly gid: number;
}

/** A bundle's folder, absolute and without symlinks. */
export class BundleFolder {
  /** Looks at nothing yet. */
  constructor(readonly path: string) {}

  /** The path of one of its parts. */
  part(name: keyof typeof BundlePart): string {
    return `${this.path}/${BundlePart[name]}`;
  }

  /** What the root's overlay is made of. */
  get root(): OverlayPlaces {
    const writable = this.part("writable");
    return { lower: this.part("lower"), upper: `${writable}/upper`, work: `${writable}/work` };
  }

  /** What the overlay of volume number `index` is made of; `lower` is a path in the mounted image, or empty. */
  volume(index: number, lower: string): OverlayPlaces {
    const folder = `${this.part("writable")}/volumes/${index}`;
    const from = lower === "" ? `${folder}/empty` : `${this.part("lower")}${lower}`;
    return { lower: from, upper: `${folder}/upper`, work: `${folder}/work` };
  }

  /** Makes the directory for the mounted image, and that for what is written, in memory with `tmpfs`. */
  async prepare(tmpfs: boolean): Promise<void> {
    for (const name of ["lower", "rootfs", "writable"] as const) await Deno.mkdir(this.part(name), { mode: 0o700 });
    if (tmpfs) mountTmpfs(this.part("writable"));
  }

  /** Makes the directories of an overlay; its root looks as its upper directory does. */
  async prepareOverlay({ upper, work, lower }: OverlayPlaces, attributes: DirectoryAttributes): Promise<void> {
    await Deno.mkdir(upper, { recursive: true });
    await Deno.mkdir(work, { recursive: true });
    if (lower.startsWith(`${this.part("writable")}/`)) await Deno.mkdir(lower);
    // In a user namespace not every owner is there; such files are nobody's in the image as well.
    await Deno.chown(upper, attributes.uid, attributes.gid).catch(() => {});
    await Deno.chmod(upper, attributes.mode);
  }

  /** Lays the overlay over the mounted image. @throws {ClipError} */
  mountRoot(userNamespace: boolean): void {
    mountOverlay(this.part("rootfs"), this.root, userNamespace);
  }

  /** Writes `config.json`. @throws {ClipError} of code `io`. */
  async writeConfig(config: RuntimeConfig): Promise<void> {
    await writeFileAtomically(this.part("config"), [new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)]);
  }

  /**
   * Takes all its mounts away, and what was written to memory; everything else stays. Whether there was any.
   * @throws {ClipError} when one is busy, unless lazy.
   */
  async unmount({ lazy }: { lazy: boolean }): Promise<boolean> {
    let any = false;
    for (const name of ["rootfs", "writable"] as const) {
      while (await isMounted(this.part(name))) {
        unmount(this.part(name), { lazy });
        any = true;
      }
    }
    if (!await isFuseMounted(this.part("lower")).catch(() => false)) return any;
    await unmountFuse(this.part("lower"), { lazy });
    return true;
  }

  /** Takes its mounts away, whoever uses them, and empties the folder, which stays. */
  async clear(): Promise<void> {
    await this.unmount({ lazy: true });
    for (const name of Object.values(BundlePart)) {
      await Deno.remove(`${this.path}/${name}`, { recursive: true }).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }

  /** Takes its mounts away, whoever uses them, and removes the folder. @throws {ClipError} of code `io`. */
  async remove(): Promise<void> {
    try {
      await this.unmount({ lazy: true });
      await Deno.remove(this.path, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw new ClipError("io", `cannot remove the bundle ${this.path}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** The folder of a bundle to be made: `path`, which is made or must be empty. @throws {ClipError} */
export async function newBundleFolder(path: string): Promise<BundleFolder> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    const real = await Deno.realPath(path);
    for await (const { name } of Deno.readDir(real)) {
      throw new ClipError("io", `cannot make a bundle in ${path}: it holds ${JSON.stringify(name)} already`);
    }
    return new BundleFolder(real);
  } catch (error) {
    if (error instanceof ClipError) throw error;
    throw new ClipError("io", `cannot make a bundle in ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** The bundle in `path`, if clip made one there and the image is still mounted in it. */
export async function mountedBundle(path: string): Promise<BundleFolder | undefined> {
  const real = await Deno.realPath(path).catch(() => undefined);
  if (real === undefined || await isMounted(real)) return undefined;
  const folder = new BundleFolder(real);
  const parts = await Promise.all([isMounted(folder.part("rootfs")), isMounted(folder.part("lower"))]);
  return parts.includes(true) ? folder : undefined;
}
