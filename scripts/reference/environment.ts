/** The environment variables that clip looks at: name, and what it is for. A check finds those that are missing here. */
export const ENVIRONMENT: readonly (readonly [name: string, text: string])[] = [
  ["CLIP_CACHE_DIR", "Where fetched layers, indexes and archives are kept, where no --cache-dir is given."],
  ["CLIP_CACHE_SIZE", "What the cache may take of the disk, where no --cache-size is given."],
  ["CLIP_REMOTE_CACHE", "URLs of remote caches, separated by blanks, where no --remote-cache is given."],
  ["CLIP_LAYER_INDEXES", "A repository of layers' indexes, where no --layer-indexes is given."],
  ["CLIP_ARCHIVE_URL", "Not to be set: by it clip mount --daemon hands an archive's URL with a login to the server."],
  ["SOURCE_DATE_EPOCH", "Seconds since 1970: what clip push tells as the time an index was made; else it tells none."],
  ["CLIP_RUNTIME_DIR", "Where mounts leave word of themselves for clip stats and clip mounts."],
  ["XDG_CACHE_HOME", "Where clip's cache folder lies, where CLIP_CACHE_DIR is not set; else .cache in HOME."],
  ["CONTAINERS_REGISTRIES_CONF", "The registries.conf to read, alone, where no --registries-conf is given."],
  ["HTTP_PROXY", "The proxy for http, in small letters too, but not for this machine; for https, HTTPS_PROXY."],
  ["HTTPS_PROXY", "See HTTP_PROXY."],
  ["ALL_PROXY", "The proxy where HTTP_PROXY or HTTPS_PROXY is not set."],
  ["NO_PROXY", "Hosts that are asked without a proxy: names, .domains, addresses, networks; with :PORT if need be."],
  ["REQUEST_METHOD", "Where it is set, HTTP_PROXY in capitals is left alone: a CGI program has it from its client."],
  ["XDG_RUNTIME_DIR", "Where CLIP_RUNTIME_DIR lies, where that is not set; and podman's containers/auth.json."],
  ["HOME", "Where .cache/clip, .docker/config.json and .aws/credentials are looked for."],
  ["PATH", "Where fusermount3, runc, crun and credential helpers are looked for."],
  ["CLIP_REGISTRY_USER", "With CLIP_REGISTRY_PASSWORD: the login for the registry; with __HOST behind, for that one."],
  ["CLIP_REGISTRY_PASSWORD", "See CLIP_REGISTRY_USER and docs/credentials.md: CLIP_REGISTRY_PASSWORD__GHCR_IO."],
  ["CLIP_REGISTRY_TOKEN", "In place of both: an access token for the registry."],
  ["CLIP_GIVEN_LOGIN", "Not to be set: by it clip mount --daemon hands a login to the server."],
  ["REGISTRY_AUTH_FILE", "The one file with logins, as of podman; none of the following then."],
  ["DOCKER_CONFIG", "The folder of docker's config.json, with its logins, and no other file with logins."],
  [
    "XDG_CONFIG_HOME",
    "Where containers/auth.json, registries.conf and certs.d are looked for; default .config in HOME.",
  ],
  ["AWS_ACCESS_KEY_ID", "With AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN: credentials for s3://."],
  ["AWS_SECRET_ACCESS_KEY", "See AWS_ACCESS_KEY_ID."],
  ["AWS_SESSION_TOKEN", "See AWS_ACCESS_KEY_ID."],
  ["AWS_PROFILE", "Which part of the credentials file is used; default default."],
  ["AWS_SHARED_CREDENTIALS_FILE", "That file; default .aws/credentials in HOME."],
  ["AWS_REGION", "The region of s3:// URLs that name none; else AWS_DEFAULT_REGION, else us-east-1."],
  ["AWS_DEFAULT_REGION", "See AWS_REGION."],
  ["AWS_ENDPOINT_URL_S3", "An S3-compatible server for s3:// URLs that name none; else AWS_ENDPOINT_URL."],
  ["AWS_ENDPOINT_URL", "See AWS_ENDPOINT_URL_S3."],
  ["NOTIFY_SOCKET", "Where a service manager is told that a mount answers, and given its connection to keep."],
  ["LISTEN_FDS", "With LISTEN_PID and LISTEN_FDNAMES: the connection that it has kept."],
  ["LISTEN_PID", "See LISTEN_FDS."],
  ["LISTEN_FDNAMES", "See LISTEN_FDS."],
];

/** What an exit status says. */
export const EXIT_STATUSES: readonly (readonly [status: string, text: string])[] = [
  ["0", "done"],
  ["1", "failed; standard error says what, in a line"],
  ["2", "wrong usage; nothing was done"],
  ["130", "interrupted by Ctrl-C, SIGTERM or SIGHUP"],
  ["141", "whoever read standard output went away"],
];

/** Names of variables that the source under `folder` asks for and that are not in {@linkcode ENVIRONMENT}. */
export async function undescribedVariables(folder: string): Promise<string[]> {
  const described = new Set(ENVIRONMENT.map(([name]) => name));
  const missing = new Set<string>();
  for await (const text of sources(folder)) {
    for (const [, name] of text.matchAll(/\benv(?:\.get)?\("([A-Z][A-Z0-9_]*)"\)|_VARIABLE = "([A-Z0-9_]+)"/g)) {
      if (name !== undefined && !described.has(name)) missing.add(name);
    }
  }
  return [...missing].sort();
}

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* sources(`${folder}/${name}`);
    else if (name.endsWith(".ts")) yield await Deno.readTextFile(`${folder}/${name}`);
  }
}
