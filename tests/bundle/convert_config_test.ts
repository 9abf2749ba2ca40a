/** From an image's config to a runtime's, by the rules of the image-spec's conversion.md. */
import assert from "node:assert/strict";
import { configOf, convert, imageConfig } from "./conversions.ts";

const { test } = Deno;
const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What becomes of `config`, with what is asked for instead. */
const PROCESSES: [string, Record<string, unknown>, Parameters<typeof convert>[1], Record<string, unknown>][] = [
  ["a command", { Cmd: ["sh"] }, {}, { args: ["sh"], cwd: "/", env: [PATH], terminal: false }],
  ["an entrypoint and its command", { Entrypoint: ["a", "-b"], Cmd: ["c"] }, {}, { args: ["a", "-b", "c"] }],
  ["an entrypoint, null for a command", { Entrypoint: ["a"], Cmd: null }, {}, { args: ["a"] }],
  ["another command", { Entrypoint: ["a"], Cmd: ["c"] }, { overrides: { command: ["x", "y"] } }, {
    args: ["a", "x", "y"],
  }],
  ["another entrypoint, without the image's command", { Entrypoint: ["a"], Cmd: ["c"] }, {
    overrides: { entrypoint: ["x"] },
  }, { args: ["x"] }],
  ["no entrypoint", { Entrypoint: ["a"] }, { overrides: { entrypoint: [], command: ["x"] } }, { args: ["x"] }],
  ["variables in their order", { Cmd: ["x"], Env: ["B=1", "PATH=/bin", "A=2=3"] }, {}, {
    env: ["B=1", "PATH=/bin", "A=2=3"],
  }],
  ["variables given instead and besides", { Cmd: ["x"], Env: ["B=1", "PATH=/bin"] }, {
    overrides: { env: ["B=2", "C=", "C=3"] },
  }, { env: ["B=2", "PATH=/bin", "C=3"] }],
  ["a terminal", { Cmd: ["x"], Env: ["PATH=/bin"] }, { overrides: { terminal: true } }, {
    terminal: true,
    env: ["PATH=/bin", "TERM=xterm"],
  }],
  ["a folder to start in", { Cmd: ["x"], WorkingDir: "/srv/" }, {}, { cwd: "/srv" }],
  ["a folder that is relative", { Cmd: ["x"], WorkingDir: "srv" }, {}, { cwd: "/srv" }],
  ["a folder that would lead outside", { Cmd: ["x"], WorkingDir: "/../../etc" }, {}, { cwd: "/etc" }],
  ["another folder", { Cmd: ["x"], WorkingDir: "/srv" }, { overrides: { workingDir: "/tmp" } }, { cwd: "/tmp" }],
  ["a user", { Cmd: ["x"] }, { user: { uid: 5, gid: 6, additionalGids: [7] } }, {
    user: { uid: 5, gid: 6, additionalGids: [7] },
  }],
];

for (const [what, config, choices, expected] of PROCESSES) {
  test(`process: ${what}`, () => {
    const process = { ...convert(configOf(config), choices).process } as Record<string, unknown>;
    for (const [field, value] of Object.entries(expected)) assert.deepEqual(process[field], value, field);
  });
}

test("the rest is what runtimes and containerd give every container", () => {
  const config = convert(configOf({ Cmd: ["sh"] }), { overrides: { readOnly: true, hostname: "box" } });
  assert.equal(config.ociVersion, "1.0.2");
  assert.deepEqual(config.root, { path: "rootfs", readonly: true });
  assert.equal(config.hostname, "box");
  assert.equal(config.process.noNewPrivileges, true);
  assert.equal(config.process.capabilities.bounding.length, 14);
  assert.ok(!config.process.capabilities.bounding.includes("CAP_SYS_ADMIN"));
  const destinations = ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"];
  assert.deepEqual(config.mounts.map(({ destination }) => destination), destinations);
  assert.deepEqual(config.linux.namespaces.map(({ type }) => type), ["pid", "ipc", "uts", "mount", "network"]);
  assert.deepEqual(config.linux.resources.devices, [{ allow: false, access: "rwm" }]);
  for (const path of ["/proc/kcore", "/sys/firmware"]) assert.ok(config.linux.maskedPaths.includes(path));
  assert.ok(config.linux.readonlyPaths.includes("/proc/sys"));
});

test("what depends on the machine: its network, cgroups of version 2, a user namespace", () => {
  const image = configOf({ Cmd: ["sh"] });
  const kinds = (config: ReturnType<typeof convert>) => config.linux.namespaces.map(({ type }) => type);
  const host = convert(image, { setting: { network: "host", cgroup2: true, userNamespace: false } });
  assert.deepEqual(kinds(host), ["pid", "ipc", "uts", "mount", "cgroup"]);
  const user = convert(image, { setting: { network: "host", cgroup2: false, userNamespace: true } });
  const mount = (destination: string) => user.mounts.find((each) => each.destination === destination);
  assert.equal(mount("/sys")?.source, "/sys");
  assert.equal(mount("/sys/fs/cgroup"), undefined);
  assert.ok(!mount("/dev/pts")?.options?.includes("gid=5"));
});

test("annotations: labels, what the config says, a label before that", () => {
  const image = imageConfig({
    os: "linux",
    architecture: "arm64",
    variant: "v8",
    "os.version": "1",
    "os.features": ["a", "b"],
    author: "somebody",
    created: "2024-01-01T00:00:00Z",
    config: {
      Cmd: ["x"],
      StopSignal: "SIGUSR1",
      ExposedPorts: { "80/tcp": {}, "53/udp": {} },
      Labels: { "org.opencontainers.image.author": "the label", own: "1", __proto__x: "", empty: null },
    },
  });
  const prefix = "org.opencontainers.image";
  assert.deepEqual(convert(image).annotations, {
    [`${prefix}.os`]: "linux",
    [`${prefix}.architecture`]: "arm64",
    [`${prefix}.variant`]: "v8",
    [`${prefix}.os.version`]: "1",
    [`${prefix}.os.features`]: "a,b",
    [`${prefix}.author`]: "the label",
    [`${prefix}.created`]: "2024-01-01T00:00:00Z",
    [`${prefix}.stopSignal`]: "SIGUSR1",
    [`${prefix}.exposedPorts`]: "53/udp,80/tcp",
    own: "1",
    __proto__x: "",
    empty: "",
  });
});

test("annotations by which runtimes are told to do something are left out, and that is told", () => {
  const labels = { "run.oci.hooks.stdout": "/etc/shadow", "org.systemd.property.x": "y", "": "z", fine: "1" };
  const warnings: string[] = [];
  const { annotations } = convert(configOf({ Cmd: ["x"], Labels: labels }), { warn: (line) => warnings.push(line) });
  assert.deepEqual(Object.keys(annotations).filter((name) => !name.startsWith("org.opencontainers")), ["fine"]);
  assert.equal(warnings.length, 3);
  assert.match(warnings.join("\n"), /run\.oci\.hooks\.stdout/);
});

test("nothing to run, and more than the kernel takes, are told of", () => {
  for (const config of [{}, { Cmd: [] }, { Cmd: [""] }, { Entrypoint: null }]) {
    assert.throws(() => convert(configOf(config)), { code: "usage", message: /no program to run/ });
  }
  const huge = "x".repeat(131_072);
  assert.throws(() => convert(configOf({ Cmd: ["x"], Env: [`HUGE=${huge}`] })), /variable "HUGE" has 131077 bytes/);
  assert.throws(() => convert(configOf({ Cmd: ["x", huge] })), { code: "limit" });
  const many = Array.from({ length: 20 }, (_, i) => `V${i}=${"x".repeat(120_000)}`);
  assert.throws(() => convert(configOf({ Cmd: ["x"], Env: many })), /arguments and environment take 24\d{5} bytes/);
});

const BAD: [string, unknown, RegExp][] = [
  ["no object", [], /bad top level: found a list, expected an object/],
  ["a text for a config", { config: "x" }, /bad config: found "x", expected an object/],
  ["a text for a list", { config: { Cmd: "sh" } }, /bad config\.Cmd: found "sh", expected a list/],
  ["a number in a list", { config: { Env: ["A=1", 2] } }, /bad config\.Env\[1\]: found 2, expected text/],
  ["a NUL in an argument", { config: { Cmd: ["sh\0x"] } }, /bad config\.Cmd\[0\]: .* text without NUL/],
  ["a NUL in a volume", { config: { Volumes: { "/a\0": {} } } }, /bad config\.Volumes.* text without NUL/],
  ["a list of volumes", { config: { Volumes: ["/a"] } }, /bad config\.Volumes: found a list/],
  ["a number for a user", { config: { User: 1000 } }, /bad config\.User: found 1000, expected text/],
  ["an object for a label", { config: { Labels: { a: {} } } }, /bad config\.Labels\.a: found an object/],
];

for (const [what, config, message] of BAD) {
  test(`a config that is none: ${what}`, () => {
    assert.throws(() => imageConfig(config), { code: "corrupt", message });
  });
}
