/**
 * versitygw: a gateway that speaks S3, signatures included, over a folder. It is built from its released source, once a
 * machine, which takes two minutes; `.ci/run` begins with that at its start.
 */
import { mustRun } from "../../e2e/programs.ts";
import type { Workbench } from "../../e2e/workbench.ts";
import { ServerProcess } from "./server_process.ts";
import { smallDisk } from "./small_disk.ts";
import type { StoreServer, StoreServerKind } from "./store_server.ts";

const MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
const FOLDER = `${Deno.env.get("TMPDIR") ?? "/tmp"}/clip-test-programs`;
const PROGRAM = `${FOLDER}/versitygw-1.8.0`;

function isBuilt(): boolean {
  try {
    return Deno.statSync(PROGRAM).isFile;
  } catch {
    return false;
  }
}

/** Builds the gateway, unless that has been done. Needs `go`, and its module proxy. */
export async function buildGateway(): Promise<void> {
  if (isBuilt()) return;
  // deno-lint-ignore no-console -- it takes its time
  console.log(`building ${MODULE}, once, which takes some minutes`);
  const work = await Deno.makeTempDir({ prefix: "clip-versitygw-" });
  try {
    const env = { GOBIN: work, CGO_ENABLED: "0" };
    // Neither inlined nor optimised: it is built sooner, and is fast enough.
    await mustRun(["go", "install", "-gcflags=all=-N -l", "-ldflags=-s -w", MODULE], { env });
    await Deno.mkdir(FOLDER, { recursive: true });
    await mustRun(["mv", `${work}/versitygw`, PROGRAM]);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

const KEYS = { AWS_ACCESS_KEY_ID: "clip-tests", AWS_SECRET_ACCESS_KEY: "only/for+tests" };

async function start(bench: Workbench): Promise<StoreServer> {
  await buildGateway();
  const disk = await smallDisk(bench);
  const bucket = `${disk.path}/spans`;
  await Deno.mkdir(bucket);
  const process = new ServerProcess({
    program: PROGRAM,
    args: (port) => ["--port", `127.0.0.1:${port}`, "--quiet", "posix", disk.path],
    env: { ROOT_ACCESS_KEY: KEYS.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: KEYS.AWS_SECRET_ACCESS_KEY },
  });
  bench.defer(() => process.kill());
  await process.start();
  const path = (key: string) => `${bucket}/of all/images/${key}`;
  return {
    url: "s3://spans/of%20all/images",
    env: { ...KEYS, AWS_ENDPOINT_URL: `http://127.0.0.1:${process.port}` },
    process,
    async plant(key, value) {
      await Deno.mkdir(`${bucket}/of all/images`, { recursive: true });
      await Deno.writeFile(path(key), value);
    },
    peek: (key) => Deno.readFile(path(key)).catch(() => undefined),
    fill: disk.fill,
    makeRoom: disk.makeRoom,
  };
}

/** A bucket of versitygw. */
export const s3Gateway: StoreServerKind = {
  name: "s3",
  needs: isBuilt() ? ["root"] : ["root", "go"],
  start,
};

if (import.meta.main) await buildGateway();
