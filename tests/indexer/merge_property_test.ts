/** Random layers, merged by `mergeLayers` and by a simple model of another kind: a flat map from paths to nodes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { mergeLayers } from "../../src/indexer/mod.ts";
import type { TarEntry } from "../../src/tar/mod.ts";
import { testSeed } from "../codec/seeded_random.ts";
import { directory, file, hardLink, linesOf, opaque, symlink, whiteout } from "./entries.ts";
import { entry } from "../tar/entry.ts";

/** What the model keeps of a node; one object for all names of a hard link. */
interface ModelNode {
  isDirectory: boolean;
  target: string | undefined;
  text: string;
}

/** Paths without a slash at the end, the root is "". Knows nothing of parents but by their paths. */
class Model {
  nodes = new Map<string, ModelNode>([["", implied()]]);

  copy(): Model {
    const other = new Model();
    other.nodes = new Map([...this.nodes].map(([path, node]) => [path, node]));
    return other;
  }

  /** Applies the whiteouts of a layer. */
  hide(layer: readonly TarEntry[]): void {
    for (const { path } of layer) {
      const slash = path.lastIndexOf("/");
      const name = path.slice(slash + 1);
      if (!name.startsWith(".wh.")) continue;
      const folder = slash < 0 ? "" : `/${path.slice(0, slash)}`;
      if (name === ".wh..wh..opq") this.#removeBelow(folder);
      else this.#remove(`${folder}/${name.slice(4)}`);
    }
  }

  /** Applies an entry that is no whiteout. @throws where there is no place for it. */
  add(added: TarEntry, layer: number): void {
    const slash = added.path.lastIndexOf("/");
    const folder = this.#folder(added.path.slice(0, Math.max(slash, 0)), true)!;
    const path = `${folder}/${added.path.slice(slash + 1)}`;
    if (added.kind === "hardlink") {
      const cut = added.linkName.lastIndexOf("/");
      const base = this.#folder(added.linkName.slice(0, Math.max(cut, 0)), false);
      const target = base === undefined ? undefined : this.nodes.get(`${base}/${added.linkName.slice(cut + 1)}`);
      if (target === undefined || target.isDirectory) throw new Error("no target");
      this.#remove(path);
      this.nodes.set(path, target);
    } else if (added.kind === "directory") {
      const text = `dir ${added.mode.toString(8)}`;
      const before = this.nodes.get(path);
      if (before?.isDirectory) before.text = text;
      else this.nodes.set(path, { isDirectory: true, target: undefined, text });
    } else {
      this.#remove(path);
      const target = added.kind === "symlink" ? added.linkName : undefined;
      const text = target === undefined ? `file 644 ${layer}@${added.dataPlainOffset}+10` : `link 777 -> ${target}`;
      this.nodes.set(path, { isDirectory: false, target, text });
    }
  }

  /** As `linesOf` writes a tree. */
  lines(): string[] {
    const first = new Map<ModelNode, string>();
    const byParts = (a: string, b: string) => compareParts(a.split("/"), b.split("/"));
    return [...this.nodes.keys()].sort(byParts).map((path) => {
      const node = this.nodes.get(path)!;
      const before = first.get(node);
      if (before === undefined) first.set(node, path);
      return `${path === "" ? "/" : path} ${before === undefined ? node.text : `= ${before}`}`;
    });
  }

  #remove(path: string): void {
    this.nodes.delete(path);
    this.#removeBelow(path);
  }

  #removeBelow(path: string): void {
    for (const other of this.nodes.keys()) if (other.startsWith(`${path}/`)) this.nodes.delete(other);
  }

  /** The path of the folder that `text` leads to, links followed. */
  #folder(text: string, make: boolean, at = "", links = { followed: 0 }): string | undefined {
    let folder = text.startsWith("/") ? "" : at;
    for (const part of text.split("/")) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        folder = folder.slice(0, Math.max(folder.lastIndexOf("/"), 0));
        continue;
      }
      const path = `${folder}/${part}`;
      const node = this.nodes.get(path);
      if (node === undefined && make) this.nodes.set(path, implied());
      else if (node === undefined) return undefined;
      else if (node.target !== undefined) {
        if (++links.followed > 40) throw new Error("loop");
        const led = this.#folder(node.target, make, folder, links);
        if (led === undefined) return undefined;
        folder = led;
        continue;
      } else if (!node.isDirectory) {
        if (make) throw new Error("no directory");
        return undefined;
      }
      folder = path;
    }
    return folder;
  }
}

function implied(): ModelNode {
  return { isDirectory: true, target: undefined, text: "dir 755" };
}

function compareParts(a: string[], b: string[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1;
  return a.length - b.length;
}

const name = fc.constantFrom("a", "b", "c");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const target = fc.tuple(
  fc.constantFrom("", "", "/", "../", "../../", "./", "../../../"),
  fc.array(fc.constantFrom("a", "b", "c", "..", "."), { minLength: 1, maxLength: 3 }),
).map(([start, parts]) => start + parts.join("/"));
const anyEntry: fc.Arbitrary<TarEntry> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(path, fc.integer({ min: 1, max: 999 })).map(([path, at]) => file(path, at)) },
  {
    weight: 4,
    arbitrary: fc.tuple(path, fc.constantFrom(0o700, 0o711)).map(([path, mode]) => directory(path, { mode })),
  },
  { weight: 3, arbitrary: fc.tuple(path, target).map(([path, target]) => symlink(path, target)) },
  { weight: 3, arbitrary: fc.tuple(path, path).map(([path, target]) => hardLink(path, target)) },
  { weight: 2, arbitrary: path.map((path) => whiteout(path)) },
  { weight: 1, arbitrary: fc.oneof(path, fc.constant("")).map((folder) => opaque(folder)) },
  { weight: 1, arbitrary: path.map((path) => entry("file", `${path}/.wh..wh.aufs`)) },
);
const image = fc.array(fc.array(anyEntry, { maxLength: 14 }), { minLength: 1, maxLength: 5 });

function isWhiteout({ path }: TarEntry): boolean {
  return path.slice(path.lastIndexOf("/") + 1).startsWith(".wh.");
}

/**
 * Compares the two, layer by layer. An entry that the model has no place for must be refused by `mergeLayers` too; then
 * it is left out, so that one bad entry does not hide what follows it.
 */
function compare(layers: readonly (readonly TarEntry[])[]): { entries: number; refused: number } {
  let model = new Model();
  const taken: TarEntry[][] = [];
  let refused = 0;
  let entries = 0;
  for (const [number, layer] of layers.entries()) {
    model.hide(layer);
    const kept: TarEntry[] = layer.filter(isWhiteout);
    for (const next of layer) {
      if (isWhiteout(next)) continue;
      entries++;
      const tried = model.copy();
      try {
        tried.add(next, number);
      } catch {
        refused++;
        assert.throws(() => mergeLayers([...taken, [...kept, next]], () => {}), /^CorruptError/);
        continue;
      }
      model = tried;
      kept.push(next);
    }
    taken.push(kept);
    assert.deepEqual(linesOf(mergeLayers(taken, () => {})), model.lines());
  }
  return { entries, refused };
}

Deno.test("random layers merge as a flat map of paths does it", () => {
  let entries = 0;
  let refused = 0;
  fc.assert(
    fc.property(image, (layers) => {
      const counts = compare(layers);
      entries += counts.entries;
      refused += counts.refused;
    }),
    { seed: testSeed() | 0, numRuns: 1500 },
  );
  assert(entries > 10_000 && refused > 500 && refused < entries / 2, `${entries} entries, ${refused} refused`);
});

Deno.test("the place of whiteouts among the entries of a layer has no influence", () => {
  fc.assert(
    fc.property(image, (layers) => {
      const moved = layers.map((
        layer,
      ) => [...layer.filter((entry) => !isWhiteout(entry)), ...layer.filter(isWhiteout)]);
      const outcome = (of: TarEntry[][]) => {
        try {
          return linesOf(mergeLayers(of, () => {}));
        } catch (error) {
          return String(error);
        }
      };
      assert.deepEqual(outcome(moved), outcome(layers));
    }),
    { seed: testSeed() | 0, numRuns: 300 },
  );
});
