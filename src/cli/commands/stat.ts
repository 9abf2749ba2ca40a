import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { utf8ToByteString } from "../../base/mod.ts";
import { defineCommand } from "../command.ts";
import { describeNode, modeString } from "../describe_node.ts";
import { noSuchPath, openArchiveFile } from "../open_archive_file.ts";
import { requiredArgument } from "../basic_options.ts";

/** `clip stat` */
export const stat = defineCommand({
  summary: "Tell all about a file of an indexed image.",
  description:
    message`Tells what stat(2) on a mount would, the extended attributes, and where the data lies. A symlink \
is told of itself; end PATH with / to follow it.`,
  examples: ["clip stat ubuntu.clip /usr/bin/passwd", "clip stat --json ubuntu.clip /etc/os-release"],
  parser: object({
    file: requiredArgument("FILE.clip", message`What clip index wrote.`),
    path: requiredArgument("PATH", message`In the image.`),
    json: withDefault(flag("--json", { description: message`As JSON.` }), false),
  }),
  async run({ file, path, json }, context) {
    const { io } = context;
    const archive = await openArchiveFile(file, context);
    const inode = archive.tree.find(utf8ToByteString(path), { followLast: path.endsWith("/") });
    if (inode === undefined) noSuchPath(archive, path);
    const node = describeNode(archive.tree, inode, utf8ToByteString(path));
    if (json) return io.out(`${JSON.stringify(node)}\n`);
    const rows: [string, string][] = [
      ["path", node.target === undefined ? node.name : `${node.name} -> ${node.target}`],
      ["type", node.type],
      ["size", String(node.size)],
      ["mode", `${node.mode} (${modeString(archive.tree.columns.mode[inode]!)})`],
      ["owner", `${node.uid}:${node.gid}`],
      ["links", String(node.nlink)],
      ["inode", String(node.inode)],
      ["mtime", node.mtime],
    ];
    if (node.device !== undefined) rows.push(["device", node.device]);
    if (node.data !== undefined) {
      const { data } = node;
      const place = "layer" in data ? `layer ${data.layer} at byte ${data.plainOffset}` : `${data.extents} extents`;
      rows.push(["data", place]);
    }
    for (const [name, value] of Object.entries(node.xattrs ?? {})) rows.push(["xattr", `${name} = base64:${value}`]);
    io.out(rows.map(([name, value]) => `${name.padEnd(6)} ${value}\n`).join(""));
  },
});
