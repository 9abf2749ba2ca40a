/** What a shell script prints; its arguments are $1 and so on. @throws {Error} with its messages when it fails. */
export async function runShell(script: string, args: readonly string[]): Promise<string> {
  const command = new Deno.Command("sh", { args: ["-c", script, "sh", ...args], stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${script}: ${decoder.decode(stderr).trim().slice(-500)}`);
  return decoder.decode(stdout);
}

/** Whether a program is installed. */
export async function isInstalled(program: string): Promise<boolean> {
  return await runShell(`command -v "$1"`, [program]).then(() => true, () => false);
}
