import type { Workbench } from "../../e2e/workbench.ts";
import { ServerProcess } from "./server_process.ts";
import { smallDisk } from "./small_disk.ts";
import type { StoreServer, StoreServerKind } from "./store_server.ts";

/** Files of one web server. Root, for a file system of its own that can be full. */
const NEEDS = ["nginx", "root"] as const;
const LOGIN = { user: "clip", password: "p@ss/word" };

/** One process, so that it can be stopped; everything it writes is in `folder`. */
function configuration(folder: string, data: string, port: number, login: boolean): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off; master_process off; user root; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off; client_max_body_size 64m;
  ${temporary.map((name) => `${name}_temp_path ${data}/.temporary/${name};`).join(" ")}
  server {
    listen 127.0.0.1:${port};
    location / {
      root ${data};
      dav_methods PUT; create_full_put_path on; dav_access user:rw;
      ${login ? `auth_basic "clip"; auth_basic_user_file ${folder}/htpasswd;` : ""}
    }
  }
}
`;
}

async function start(bench: Workbench, { login }: { login: boolean }): Promise<StoreServer> {
  const folder = bench.directory("nginx");
  const disk = await smallDisk(bench);
  const data = disk.path;
  Deno.mkdirSync(`${data}/.temporary`);
  Deno.writeTextFileSync(`${folder}/htpasswd`, `${LOGIN.user}:{PLAIN}${LOGIN.password}\n`);
  const process = new ServerProcess({
    program: "nginx",
    args: (port) => {
      Deno.writeTextFileSync(`${folder}/nginx.conf`, configuration(folder, data, port, login));
      return ["-p", folder, "-c", `${folder}/nginx.conf`, "-e", `${folder}/error.log`];
    },
  });
  bench.defer(() => process.kill());
  await process.start();
  const user = login ? `${LOGIN.user}:${encodeURIComponent(LOGIN.password)}@` : "";
  const path = (key: string) => `${data}/spans/of all/${key}`;
  return {
    url: `http://${user}127.0.0.1:${process.port}/spans/of%20all`,
    env: {},
    process,
    async plant(key, value) {
      await Deno.mkdir(`${data}/spans/of all`, { recursive: true });
      await Deno.writeFile(path(key), value);
    },
    peek: (key) => Deno.readFile(path(key)).catch(() => undefined),
    fill: disk.fill,
    makeRoom: disk.makeRoom,
  };
}

/** With its DAV module. */
export const nginxServer: StoreServerKind = {
  name: "http",
  needs: NEEDS,
  start: (bench) => start(bench, { login: false }),
};

/** The same, which asks for a login. */
export const nginxServerWithLogin: StoreServerKind = {
  name: "http with a login",
  needs: NEEDS,
  start: (bench) => start(bench, { login: true }),
};
