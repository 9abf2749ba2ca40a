import { resolve } from "node:path";
import { displayByteString, isArchiveUrl, messageOf } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import { libc } from "../fuse/mod.ts";
import {
  formatListenAddress,
  type ListenAddress,
  type MetricsPages,
  type MetricsServer,
  prometheusText,
  ReadTrace,
  serveMetrics,
} from "../metrics/mod.ts";
import {
  mountFamilies,
  MountMetrics,
  type MountRecord,
  mountStats,
  placeRecord,
  type RecordPlace,
  writeRecord,
} from "../mount/mod.ts";
import { showArchive } from "./archive_url.ts";
import type { CommandContext } from "./io.ts";
import { mountFolders } from "./live_mounts.ts";
import type { ReportChoices } from "./report_options.ts";
import { VERSION } from "./version.ts";

/** What a mount is. */
export interface ReportedMount {
  readonly archive: Archive;
  /** Its file. */
  readonly path: string;
  /** As given. */
  readonly directory: string;
  /** Where layers are fetched. */
  readonly source: string;
  /** The folder of its supervisor, which is the parent of this process. */
  readonly supervised?: string | undefined;
}

/** All ways in which a mount tells of itself: counters, `--metrics`, `--trace`, and the socket that `clip stats` asks. */
export class MountReports {
  /** To count with. */
  readonly metrics: MountMetrics;
  readonly #context: CommandContext;
  readonly #pages: MetricsPages;
  #record: MountRecord;
  #servers: MetricsServer[] = [];
  #place: RecordPlace | undefined;

  private constructor(mount: ReportedMount, trace: ReadTrace | undefined, context: CommandContext) {
    const { archive, path, directory, source, supervised } = mount;
    this.#context = context;
    this.metrics = new MountMetrics(archive, trace);
    this.#record = {
      pid: Deno.pid,
      mountpoint: resolve(directory),
      device: 0,
      archive: isArchiveUrl(path) ? showArchive(path) : resolve(path),
      image: source,
      manifestDigest: archive.image.manifestDigest,
      startedAt: new Date().toISOString(),
      version: VERSION,
      ...(supervised === undefined
        ? {}
        : { supervisor: { pid: Deno.ppid, folder: supervised, isStandalone: Deno.build.standalone } }),
    };
    this.#pages = {
      metrics: () => prometheusText(mountFamilies(this.#record, archive, this.metrics)),
      stats: () => mountStats(this.#record, archive, this.metrics),
    };
  }

  /** Opens what was asked for. @throws {ClipError} when it cannot be had: before there is a mount. */
  static async open(mount: ReportedMount, choices: ReportChoices, context: CommandContext): Promise<MountReports> {
    const { tree } = mount.archive;
    const trace = choices.trace === undefined ? undefined : new ReadTrace({
      path: choices.trace,
      pathOf: (inode) => displayByteString(tree.path(inode)),
      now: () => libc().now(),
      log: context.log,
    });
    const reports = new MountReports(mount, trace, context);
    try {
      if (choices.metrics !== undefined) await reports.listen(choices.metrics);
    } catch (error) {
      await reports.close();
      throw error;
    }
    return reports;
  }

  /** Serves metrics there. @throws {ClipError} when it cannot. */
  async listen(address: ListenAddress): Promise<void> {
    const server = await serveMetrics(address, this.#pages);
    this.#servers.push(server);
    this.#context.log.info("serving metrics", { address: formatListenAddress(server.address) });
  }

  /** Lets `clip stats` find the mount, which answers already. What hinders that is logged. */
  async publish(mountpoint: string): Promise<void> {
    try {
      const { dev } = await Deno.lstat(mountpoint);
      this.#record = { ...this.#record, mountpoint, device: dev };
      const place = await placeRecord(mountpoint, mountFolders(this.#context.io));
      this.#servers.push(await serveMetrics({ transport: "unix", path: place.socket }, this.#pages));
      this.#place = place;
      await writeRecord(place, this.#record);
    } catch (error) {
      this.#context.log.warn(`clip stats will not find this mount: ${messageOf(error)}`);
    }
  }

  /** Stops telling: takes the record away, and writes the trace to its end. */
  async close(): Promise<void> {
    if (this.#place !== undefined) await Deno.remove(this.#place.record).catch(() => {});
    for (const server of this.#servers) await server.close();
    await this.metrics.trace?.close();
  }
}
