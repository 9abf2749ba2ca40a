import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { argument, flag } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { type ByteString, displayByteString, utf8ToByteString } from "../../base/mod.ts";
import { S_IFDIR } from "../../archive/mod.ts";
import { defineCommand } from "../command.ts";
import { describeNode, longLine } from "../describe_node.ts";
import type { Io } from "../io.ts";
import { noSuchPath, openArchiveFile } from "../open_archive_file.ts";
import { requiredArgument } from "../basic_options.ts";

/** `clip ls` */
export const ls = defineCommand({
  summary: "List files of an indexed image.",
  description:
    message`Lists PATH, or the root, from the index alone: nothing is fetched. Control characters and bytes that \
are not UTF-8 are shown as \\xNN.`,
  examples: ["clip ls ubuntu.clip /etc", "clip ls -lR ubuntu.clip", "clip ls --json -R ubuntu.clip /usr/bin"],
  parser: object({
    file: requiredArgument("FILE.clip", message`What clip index wrote.`),
    path: withDefault(argument(string({ metavar: "PATH" }), { description: message`In the image; default /.` }), "/"),
    long: withDefault(flag("-l", { description: message`Mode, links, owner, size and time of each.` }), false),
    recursive: withDefault(flag("-R", "--recursive", { description: message`All below it as well.` }), false),
    json: withDefault(flag("--json", { description: message`One JSON object a line.` }), false),
  }),
  async run({ file, path, long, recursive, json }, context) {
    const { io } = context;
    const archive = await openArchiveFile(file, context);
    const { tree } = archive;
    const inode = tree.find(utf8ToByteString(path), { followLast: !long || path.endsWith("/") });
    if (inode === undefined) noSuchPath(archive, path);
    const show = (name: ByteString, node: number): string => {
      if (json) return `${JSON.stringify(describeNode(tree, node, name))}\n`;
      return long ? longLine(tree, node, name) : `${displayByteString(name)}\n`;
    };
    const lines = new LineWriter(io);
    if (tree.type(inode) !== S_IFDIR) lines.add(show(utf8ToByteString(path), inode));
    else if (recursive) { for (const { path, inode: node } of tree.walk(inode)) lines.add(show(path, node)); }
    else for (const { name, inode: node } of tree.children(inode)) lines.add(show(name, node));
    lines.flush();
  },
});

/** Gathers lines, so that a million of them are not a million writes. */
class LineWriter {
  #io: Io;
  #text = "";

  constructor(io: Io) {
    this.#io = io;
  }

  add(line: string): void {
    this.#text += line;
    if (this.#text.length > 65_536) this.flush();
  }

  flush(): void {
    if (this.#text !== "") this.#io.out(this.#text);
    this.#text = "";
  }
}
