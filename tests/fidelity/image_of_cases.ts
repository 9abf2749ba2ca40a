/** Images of cases, as OCI layouts. */
import { ARCHITECTURE, type LayoutLayer, writeImage, writeTarLayer } from "../e2e/oci_layout.ts";
import { tar } from "../tar/tar_builder.ts";
import type { Case } from "./case.ts";
import { directory } from "./entries.ts";

/** One image of cases that keep to directories of their own: layer n holds the layers n of all of them. */
export function writeSharedImage(layout: string, cases: readonly Case[]): void {
  const layers = cases.map((one) => one.layers(`${one.name}/`));
  const count = Math.max(...layers.map(({ length }) => length));
  const root = directory("./", { mode: 0o755 });
  const joined = Array.from({ length: count }, (_, n) => {
    return writeTarLayer(layout, tar(...(n === 0 ? [root] : []), ...layers.flatMap((parts) => parts[n] ?? [])));
  });
  writeImage(layout, joined, ARCHITECTURE);
}

/** An image of one case. */
export function writeOwnImage(layout: string, { layers }: Case): void {
  const written: LayoutLayer[] = layers("").map((parts) => writeTarLayer(layout, tar(...parts)));
  writeImage(layout, written, ARCHITECTURE);
}
