/**
 * `deno task docs`: writes docs/commands.md and docs/clip.1 from the commands' parsers. With --check nothing is
 * written: a line a file that is stale, and exit status 1 if there is any.
 */
import { commandPages, loggingPage } from "./reference/command_pages.ts";
import { commandsMarkdown } from "./reference/commands_markdown.ts";
import { undescribedVariables } from "./reference/environment.ts";
import { manPage } from "./reference/man_page.ts";

const root = new URL("..", import.meta.url).pathname;

async function formatted(markdown: string): Promise<string> {
  const args = ["fmt", "--quiet", "--ext", "md", "-"];
  const child = new Deno.Command(Deno.execPath(), { args, cwd: root, stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("deno fmt refuses docs/commands.md");
  return new TextDecoder().decode(stdout);
}

const pages = await commandPages();
const files: Record<string, string> = {
  "docs/commands.md": await formatted(commandsMarkdown(pages, loggingPage())),
  "docs/clip.1": manPage(pages, loggingPage()),
};
const faults = (await undescribedVariables(`${root}src`))
  .map((name) => `$${name} is not described in scripts/reference/environment.ts`);
for (const [path, text] of Object.entries(files)) {
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(`${root}${path}`, text);
  else if (text !== await Deno.readTextFile(`${root}${path}`).catch(() => undefined)) {
    faults.push(`${path} is stale: run deno task docs`);
  }
}
await Deno.stderr.write(new TextEncoder().encode(faults.map((line) => `${line}\n`).join("")));
if (faults.length > 0) Deno.exit(1);
