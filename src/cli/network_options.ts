/** Which hosts are asked for a registry's images, whom to trust, and how much is asked at once. */
import { resolve } from "node:path";
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { integer } from "@optique/core/valueparser";
import { Network } from "../oci/mod.ts";
import { path, size } from "./basic_options.ts";
import type { Io } from "./io.ts";

/** In place of a file or folder: none is read. */
const NONE = "none";
const CONF_VARIABLE = "CONTAINERS_REGISTRIES_CONF";

/** Part of `registryOptions`. */
export const networkOptions = object("Hosts", {
  insecure: withDefault(
    flag("--insecure", { description: message`Let the registry be without TLS: https if it answers so, else http.` }),
    false,
  ),
  caFiles: multiple(option("--ca-file", path("FILE"), {
    description: message`An authority to trust besides those that are known (PEM).`,
  })),
  certDir: optional(option("--cert-dir", path("DIR"), {
    description:
      message`Certificates for the registry and its mirrors: *.crt authorities, *.cert and *.key ours. Those \
in certs.d/HOST of /etc/containers and /etc/docker are found by themselves.`,
  })),
  registriesConf: optional(option("--registries-conf", path("FILE|none"), {
    description: message`Mirrors, as containers' registries.conf has them; default $CONTAINERS_REGISTRIES_CONF, or the \
user's, or the system's.`,
  })),
  hostsDir: optional(option("--hosts-dir", path("DIR|none"), {
    description: message`Mirrors, as containerd's HOST/hosts.toml has them; default /etc/containerd/certs.d.`,
  })),
  maxRequestsPerHost: optional(option("--max-requests-per-host", integer({ metavar: "N", min: 1, max: 1024 }), {
    description: message`Requests to one host at once; default 32.`,
  })),
  maxBandwidth: optional(option("--max-bandwidth", size("SIZE/s"), {
    description: message`Bytes that are taken from one host in a second; default as many as come.`,
  })),
});

/** The values of {@linkcode networkOptions}. */
export interface NetworkChoices {
  readonly insecure: boolean;
  readonly caFiles: readonly string[];
  readonly certDir: string | undefined;
  readonly registriesConf: string | undefined;
  readonly hostsDir: string | undefined;
  readonly maxRequestsPerHost: number | undefined;
  readonly maxBandwidth: number | undefined;
}

/** For commands that ask no registry. */
export const NO_NETWORK: NetworkChoices = {
  insecure: false,
  caFiles: [],
  certDir: undefined,
  registriesConf: NONE,
  hostsDir: NONE,
  maxRequestsPerHost: undefined,
  maxBandwidth: undefined,
};

/** One for each set of choices: the sources of a command share their connections and limits. */
const networks = new WeakMap<NetworkChoices, Network>();

/** The way to registries. Reads no file yet. */
export function openNetwork(choices: NetworkChoices, io: Pick<Io, "env">): Network {
  const known = networks.get(choices);
  if (known !== undefined) return known;
  const { maxBandwidth, ...rest } = choices;
  const network = new Network({ ...rest, maxBytesPerSecond: maxBandwidth, env: (name) => io.env(name) });
  networks.set(choices, network);
  return network;
}

/** The same as arguments, for the server of a mount, which has another working folder. */
export function networkArguments(choices: NetworkChoices, io: Pick<Io, "env">): string[] {
  const named = choices.registriesConf ?? (io.env(CONF_VARIABLE) || undefined);
  const place = (name: string, path: string | undefined) =>
    path === undefined ? [] : [name, path === NONE ? path : resolve(path)];
  const number = (name: string, value: number | undefined) => value === undefined ? [] : [name, String(value)];
  return [
    ...(choices.insecure ? ["--insecure"] : []),
    ...choices.caFiles.flatMap((path) => place("--ca-file", path)),
    ...place("--cert-dir", choices.certDir),
    ...place("--registries-conf", named),
    ...place("--hosts-dir", choices.hostsDir),
    ...number("--max-requests-per-host", choices.maxRequestsPerHost),
    ...number("--max-bandwidth", choices.maxBandwidth),
  ];
}
