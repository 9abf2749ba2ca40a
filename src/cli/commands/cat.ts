import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple } from "@optique/core/modifiers";
import { ClipError, MIB, utf8ToByteString } from "../../base/mod.ts";
import { S_IFREG } from "../../archive/mod.ts";
import { defineCommand } from "../command.ts";
import { noSuchPath, openArchiveFile } from "../open_archive_file.ts";
import { openContent } from "../open_content.ts";
import { requiredArgument } from "../basic_options.ts";
import { contentOptions, registryOptions } from "../options.ts";

/** `clip cat` */
export const cat = defineCommand({
  summary: "Write files of an indexed image to standard output.",
  description: message`Fetches what is not in the cache, as a mount would, and works where FUSE does not. Symlinks are \
followed inside the image.`,
  examples: ["clip cat ubuntu.clip /etc/os-release", "clip cat ubuntu.clip /etc/passwd /etc/group"],
  parser: object({
    file: requiredArgument("FILE.clip", message`What clip index wrote.`),
    paths: multiple(requiredArgument("PATH", message`In the image.`), {
      min: 1,
      errors: { tooFew: message`PATH is missing.` },
    }),
    content: contentOptions,
    registry: registryOptions,
  }),
  async run({ file, paths, content: choices, registry }, context) {
    const { io, log } = context;
    const archive = await openArchiveFile(file, context, choices);
    const { tree } = archive;
    const inodes = paths.map((path) => {
      const inode = tree.find(utf8ToByteString(path));
      if (inode === undefined) noSuchPath(archive, path);
      if (tree.type(inode) !== S_IFREG) {
        throw new ClipError("not_found", `${archive.description}: ${path} is not a file`);
      }
      return inode;
    });
    const { content, close } = openContent(archive, { ...choices, registry }, { io, log });
    const buffer = new Uint8Array(MIB);
    try {
      for (const inode of inodes) {
        for (let offset = 0; offset < tree.sizeBytes(inode);) {
          const bytes = await content.read(inode, offset, buffer.length, buffer, 0, { signal: io.signal });
          await io.stream(buffer.subarray(0, bytes));
          offset += bytes;
        }
      }
    } finally {
      await close();
    }
  },
});
