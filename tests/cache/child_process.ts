/** Code that runs in a process of its own, over src/cache. */

const CACHE_MODULE = JSON.stringify(new URL("../../src/cache/mod.ts", import.meta.url).href);
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** A process that runs `code`, in which `diskSpanCache` is imported and `args` are `Deno.args`. */
export interface ChildProcess {
  /** The next line that it writes to standard output; undefined once it has ended. */
  line(): Promise<string | undefined>;
  /** Ends it at once, and waits for that. */
  kill(): Promise<void>;
}

/** Starts `code` as a module; its file lies in `folder`. */
export async function startChild(folder: string, code: string, args: readonly string[]): Promise<ChildProcess> {
  const file = `${folder}/${crypto.randomUUID()}.ts`;
  await Deno.writeTextFile(file, `import { diskSpanCache } from ${CACHE_MODULE};\n${code}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--no-lock", "--config", CONFIG, file, ...args],
    env: { NO_COLOR: "1" },
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream());
  const reader = lines.getReader();
  let text = "";
  return {
    async line() {
      while (!text.includes("\n")) {
        const { done, value } = await reader.read();
        if (done) return undefined;
        text += value;
      }
      const end = text.indexOf("\n");
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return line;
    },
    async kill() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await child.status;
      await reader.cancel();
    },
  };
}
