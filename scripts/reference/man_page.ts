import { VERSION } from "../../src/cli/version.ts";
import type { CommandPage, OptionGroup } from "./command_pages.ts";
import { ENVIRONMENT, EXIT_STATUSES } from "./environment.ts";

/** docs/clip.1. Source: man(7). */
export function manPage(pages: readonly CommandPage[], common: readonly OptionGroup[]): string {
  return [
    ".\\\" Made by `deno task docs` from the commands' parsers.",
    `.TH CLIP 1 "" "clip ${VERSION}" "User commands"`,
    ".SH NAME",
    "clip \\- start containers from images that have not been downloaded",
    ".SH SYNOPSIS",
    ".B clip",
    ".I COMMAND",
    "[\\fIOPTIONS\\fP] ...",
    ".SH DESCRIPTION",
    ...paragraph(
      "clip index reads an OCI image's layers once, stores and converts nothing, and writes a small .clip file. " +
        "clip mount shows the image's root file system at once, through FUSE: what is read is fetched by range, " +
        "checked, and kept in a cache that all mounts of the machine share.",
    ),
    ".SH COMMANDS",
    ...pages.flatMap((page) => [page, ...page.parts]).flatMap(command),
    ".SH OPTIONS OF EVERY COMMAND",
    ...common.flatMap(list),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(([name, text]) => tagged(name, text)),
    ".SH EXIT STATUS",
    ...EXIT_STATUSES.flatMap(([status, text]) => tagged(status, text)),
    ".SH SEE ALSO",
    ".BR fusermount3 (1),",
    ".BR runc (8),",
    ".BR skopeo (1)",
    "",
  ].join("\n");
}

function command({ name, summary, description, usage, groups, examples }: CommandPage): string[] {
  return [
    `.SS "clip ${escapeText(name)}"`,
    ...paragraph(summary),
    ...usage.flatMap((line) => [".PP", ".nh", ...wrap(line).map(escapeLine), ".hy"]),
    ...(description === "" ? [] : [".PP", ...paragraph(description)]),
    ...groups.flatMap(list),
    ...(examples.length === 0 ? [] : [".PP", ".nf", ".RS 4", ...examples.map(escapeLine), ".RE", ".fi"]),
  ];
}

function list({ title, entries }: OptionGroup): string[] {
  const heading = title === "" ? [] : [".PP", `\\fI${escapeText(title)}\\fP`];
  return [...heading, ...entries.flatMap(({ term, text }) => tagged(term, text))];
}

function tagged(term: string, text: string): string[] {
  return [".TP", `\\fB${escapeText(term)}\\fP`, ...paragraph(text)];
}

/** A sentence a line at least, as roff wants it. */
function paragraph(text: string): string[] {
  return text.split(/(?<=[.;:]) (?=[A-Z])/).flatMap(wrap).map(escapeLine);
}

/** Lines of at most 70 characters. */
function wrap(line: string): string[] {
  return line.match(/.{1,69}(?=\s|$)|\S+/g)?.map((part) => part.trimStart()) ?? [];
}

function escapeLine(line: string): string {
  return /^[.']/.test(line) ? `\\&${escapeText(line)}` : escapeText(line);
}

function escapeText(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/[…–×’]/g, (c) => NAMES[c]!);
}

const NAMES: Readonly<Record<string, string>> = { "…": "...", "–": "\\(en", "×": "\\(mu", "’": "\\(cq" };
