/** The version of clip, as CHANGELOG.md counts. */
export const VERSION = "0.1.0";

/** The commit that an executable was made of: scripts/compile.ts writes it into the line below. */
export const BUILD_COMMIT: string | undefined = undefined;

/** The commit that runs: that of the executable, or of the source where git knows it; else `unknown`. */
export async function runningCommit(): Promise<string> {
  if (BUILD_COMMIT !== undefined) return BUILD_COMMIT;
  if (Deno.build.standalone) return "unknown";
  const source = new URL("../..", import.meta.url).pathname;
  // A repository that the source merely lies in is another's.
  const env = { GIT_CEILING_DIRECTORIES: new URL("../../..", import.meta.url).pathname.replace(/(?<=.)\/$/, "") };
  const options: Deno.CommandOptions = { args: ["rev-parse", "HEAD"], cwd: source, env, stdin: "null", stderr: "null" };
  const output = await new Deno.Command("git", options).output().catch(() => undefined);
  return output?.success ? new TextDecoder().decode(output.stdout).trim() : "unknown";
}
