/**
 * A program that mounts a small tree on its first argument (made if missing) and serves it. It prints one line of JSON
 * once the tree can be read, and another when it has unmounted, which it does when its standard input ends.
 */
import { mountFuse, unmountFuse } from "../../src/fuse/mod.ts";
import { Mounted } from "./mounted.ts";

if (import.meta.main) {
  const path = Deno.args[0]!;
  await Deno.mkdir(path, { recursive: true });
  const mount = await mountFuse(path, { fsName: "a,b \\c" });
  const mounted = new Mounted(mount, { children: { hello: { text: "hello from a child\n" } } });
  const text = await Deno.readTextFile(`${path}/hello`);
  await print({ text, viaFusermount: mount.viaFusermount, uid: Deno.uid() });
  for await (const _ of Deno.stdin.readable);
  const busy = await Deno.open(`${path}/hello`);
  const refusal = await unmountFuse(path).then(() => "", (error) => error.message);
  busy.close();
  await unmountFuse(path);
  await print({ refusal, ...await mounted.ended });
}

async function print(report: unknown): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
}
