import { ClipError } from "../../base/mod.ts";
import { NO_TLS_FILES, type TlsFiles } from "./endpoint.ts";
import { readTextFile } from "./toml_file.ts";

/** Certificates as `Deno.createHttpClient` takes them. */
export interface TlsMaterial {
  readonly caCerts: string[];
  readonly cert?: string;
  readonly key?: string;
}

/**
 * The folders that hold certificates for `host` (`host` or `host:port`).
 * Source: containers-certs.d(5); Docker, "Verify repository client with certificates".
 */
export function certificateFolders(host: string, env: (name: string) => string | undefined): string[] {
  const home = env("HOME") ?? "";
  const config = env("XDG_CONFIG_HOME") || (home === "" ? "" : `${home}/.config`);
  const parents = [...(config === "" ? [] : [`${config}/containers`]), "/etc/containers", "/etc/docker"];
  return parents.map((parent) => `${parent}/certs.d/${host}`);
}

/**
 * What the folders that there are hold: `*.crt` are authorities, `*.cert` our certificates, `*.key` their keys, of the
 * same name. @throws {ClipError} for a certificate without its key.
 */
export async function findTlsFiles(folders: readonly string[]): Promise<TlsFiles> {
  const authorities: string[] = [];
  const clients: { certificate: string; key: string }[] = [];
  for (const folder of folders) {
    const names: string[] = [];
    try {
      for await (const { name, isDirectory } of Deno.readDir(folder)) if (!isDirectory) names.push(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) continue;
      throw new ClipError(
        "io",
        `cannot read ${folder}: ${error instanceof Error ? error.name : "it cannot be opened"}`,
      );
    }
    names.sort();
    for (const name of names) {
      if (name.endsWith(".crt")) authorities.push(`${folder}/${name}`);
      if (!name.endsWith(".cert")) continue;
      const key = name.replace(/\.cert$/, ".key");
      if (!names.includes(key)) throw new ClipError("not_found", `${folder}/${name}: its key ${key} is missing`);
      clients.push({ certificate: `${folder}/${name}`, key: `${folder}/${key}` });
    }
  }
  return authorities.length === 0 && clients.length === 0 ? NO_TLS_FILES : { authorities, clients };
}

/** Reads the files. @throws {ClipError} for one that is missing or no PEM; nothing of what is in it is in the message. */
export async function readTlsFiles({ authorities, clients }: TlsFiles): Promise<TlsMaterial> {
  const caCerts = await Promise.all(authorities.map((path) => readPem(path, "CERTIFICATE")));
  const client = clients[0];
  if (client === undefined) return { caCerts };
  const cert = await readPem(client.certificate, "CERTIFICATE");
  return { caCerts, cert, key: await readPem(client.key, "PRIVATE KEY") };
}

/** Deno takes what is no certificate, and then knows none. */
async function readPem(path: string, kind: "CERTIFICATE" | "PRIVATE KEY"): Promise<string> {
  const text = (await readTextFile(path, { mustExist: true }))!;
  const block = new RegExp(`-----BEGIN (?:[A-Z]+ )?${kind}-----[A-Za-z0-9+/=\\s]+-----END (?:[A-Z]+ )?${kind}-----`);
  if (block.test(text)) return text;
  throw new ClipError("corrupt", `${path}: there is no ${kind.toLowerCase()} in it (PEM)`);
}
