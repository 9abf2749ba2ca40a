import { ClipError } from "../base/mod.ts";
import { selfCommand } from "./daemon.ts";
import { runForeground } from "./run_foreground.ts";

/** How often a clip in a user namespace looks whether the one outside is still there. */
const POLL_MS = 250;
const NAMESPACES = ["--user", "--mount", "--map-root-user"];

/**
 * Runs `clip run` again where this user is root: in a user namespace, with a mount namespace of its own; the exit
 * status. The user's further numbers (/etc/subuid) are the container's other users; without any, it has root alone.
 * @param args What came behind `clip run`.
 * @throws {ClipError} `denied` where users may not have such namespaces.
 */
export async function runInUserNamespace(
  args: readonly string[],
  options: { readonly terminal: boolean },
): Promise<number> {
  const self = [...selfCommand(), "run", "--parent", `${Deno.pid}`, ...args];
  // It passes signals on, and keeps the deadline, by itself.
  return await runForeground(["unshare", ...await namespaceOptions(), "--", ...self], {
    ...options,
    stopTimeoutMs: 0,
    kill: () => Promise.resolve(),
  });
}

/** Ends this process at once when the one that started it, number `parent`, is gone; its watchdog cleans up. */
export function endWithParent(parent: number): () => void {
  const timer = setInterval(() => {
    if (Deno.ppid !== parent) Deno.kill(Deno.pid, "SIGKILL");
  }, POLL_MS);
  return () => clearInterval(timer);
}

/** The options of unshare(1) that work here, those that map most users first. */
async function namespaceOptions(): Promise<string[]> {
  let said = "";
  for (const options of [[...NAMESPACES, "--map-auto"], NAMESPACES]) {
    const command = new Deno.Command("unshare", { args: [...options, "--", "true"], stdin: "null", stdout: "null" });
    const { success, stderr } = await command.output().catch((error) => {
      throw new ClipError("not_found", "users other than root need unshare (util-linux) to run containers", {
        cause: error,
      });
    });
    if (success) return options;
    said = new TextDecoder().decode(stderr).trim();
  }
  throw new ClipError("denied", `users other than root run containers in a user namespace, which fails here: ${said}`);
}
