/** Ctrl-C at moments when nothing else would end a command soon. */
import assert from "node:assert/strict";
import { clip, inWorkplace } from "./fake_io.ts";

/** Has `work` done with a registry that answers nothing, and tells when it is asked. */
async function withSilentRegistry(work: (host: string, onAsked: (tell: () => void) => void) => Promise<void>) {
  const never = Promise.withResolvers<Response>();
  let tell = () => {};
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
    tell();
    return never.promise;
  });
  try {
    await work(`127.0.0.1:${server.addr.port}`, (next) => tell = next);
  } finally {
    never.resolve(new Response(null, { status: 404 }));
    await server.shutdown();
  }
}

Deno.test("Ctrl-C ends what waits for a silent registry", () =>
  withSilentRegistry((host, onAsked) =>
    inWorkplace(async ({ folder, archive }) => {
      const image = `${host}/a/b:v1`;
      const reading = ["--source", image, "--deadline", "5s", "--cache-dir", `${folder}/cache`, archive];
      const commands = [
        ["cat", ...reading, "/etc/passwd"],
        ["bundle", "--user", "somebody", ...reading, `${folder}/box`],
        ["doctor", image],
        ["index", image, "-o", `${folder}/new.clip`],
      ];
      for (const command of commands) {
        const { status, out, err } = await clip(command, (io) => {
          io.variables = { CLIP_CACHE_DIR: `${folder}/cache` };
          onAsked(() => io.stop.abort(new DOMException("interrupted", "AbortError")));
        });
        assert.deepEqual([status, out, err], [130, "", "clip: interrupted\n"], command[0]);
      }
    })
  ));
