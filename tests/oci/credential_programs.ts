/** Real credential helpers: small shell programs in a folder that is first in this process's PATH. */

/** A folder of programs. */
export interface HelperFolder {
  readonly path: string;
  /** Writes the program `docker-credential-NAME`, which logs what it is asked to `NAME.asked`; `body` answers. */
  add(name: string, body: string): void;
  /** What the program was given on standard input, a line each call. */
  asked(name: string): string[];
}

/** Runs `work` with a PATH that begins with a new folder of programs. */
export async function withHelpers(work: (helpers: HelperFolder) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "clip-helpers-" });
  const before = Deno.env.get("PATH") ?? "";
  Deno.env.set("PATH", `${path}:${before}`);
  try {
    await work({
      path,
      add(name, body) {
        const script =
          `#!/bin/sh\n[ "$1" = get ] || exit 9\nread -r server; echo "$server" >>'${path}/${name}.asked'\n${body}\n`;
        Deno.writeTextFileSync(`${path}/docker-credential-${name}`, script, { mode: 0o755 });
      },
      asked: (name) => {
        try {
          return Deno.readTextFileSync(`${path}/${name}.asked`).trim().split("\n");
        } catch {
          return [];
        }
      },
    });
  } finally {
    Deno.env.set("PATH", before);
    await Deno.remove(path, { recursive: true });
  }
}
