import type { Tree } from "../archive/mod.ts";
import { TIERS } from "../content/mod.ts";
import { libc, type ServerObserver } from "../fuse/mod.ts";
import { MetricTable, type MetricWriter, type ReadRing } from "../metrics/mod.ts";
import { mountMetricDefinitions, type MountMetricName, OPCODES, Region, REGIONS } from "./mount_metric_definitions.ts";

const DISK = TIERS.indexOf("disk");

/** Where the serving thread counts: what the kernel asks, and the reads that the thread answers from the disk cache. */
export class ServingMetrics implements ServerObserver {
  readonly #writer: MetricWriter<MountMetricName>;
  readonly #layers: Uint32Array;
  readonly #ring: ReadRing | undefined;
  readonly #clock = libc();
  readonly #reads: number;
  readonly #bytes: number;
  readonly #duration: number;
  readonly #layerBytes: number;
  readonly #requests: number;
  readonly #errors: number;

  /** `memory` is that of the main thread's table; reads go to `ring` as well, where there is one. */
  constructor(memory: SharedArrayBuffer, layerCount: number, { columns }: Tree, ring?: ReadRing) {
    const table = new MetricTable(mountMetricDefinitions(layerCount), REGIONS, memory);
    this.#writer = table.writer(Region.serving);
    this.#layers = columns.layer;
    this.#ring = ring;
    this.#reads = this.#writer.slot("clip_reads_total", DISK);
    this.#bytes = this.#writer.slot("clip_read_bytes_total", DISK);
    this.#duration = this.#writer.slot("clip_read_duration_seconds", DISK);
    // Without layers no file has bytes.
    this.#layerBytes = layerCount === 0 ? -1 : this.#writer.slot("clip_layer_served_bytes_total", 0);
    this.#requests = this.#writer.slot("clip_fuse_requests_total", 0);
    this.#errors = this.#writer.slot("clip_fuse_errors_total", 0);
  }

  /** See {@linkcode ServerObserver}. */
  onRequest(opcode: number, errno: number): void {
    this.#writer.add(this.#requests + (opcode < OPCODES ? opcode : 0), 1);
    if (errno !== 0) this.#writer.add(this.#errors + errno, 1);
  }

  /** See {@linkcode ServerObserver}. */
  onRead(inode: number, offset: number, bytes: number, pid: number, started: number): void {
    const duration = this.#clock.now() - started;
    this.#writer.add(this.#reads, 1);
    this.#writer.add(this.#bytes, bytes);
    this.#writer.observe(this.#duration, duration);
    // Behind the end of a file there may be no layer either.
    if (bytes > 0) this.#writer.add(this.#layerBytes + this.#layers[inode]!, bytes);
    this.#ring?.push(started, inode, offset, bytes, pid, duration);
  }

  /** See {@linkcode ServerObserver}. */
  now(): number {
    return this.#clock.now();
  }
}
