/** Images in a real registry. */
import { startRegistry } from "../real_registry.ts";
import { mustRun } from "./programs.ts";
import { FaultProxy, type ProxyOptions } from "../fault_proxy.ts";
import type { Workbench } from "./workbench.ts";

/** Programs that a published image takes. */
export const REGISTRY_NEEDS = ["docker-registry", "skopeo"] as const;

/** An image in a registry that only this test uses. */
export interface Published {
  /** The server that clip talks to. */
  readonly proxy: FaultProxy;
  /** For clip: `HOST:PORT/test/image:v1`. */
  readonly reference: string;
}

/** Pushes an image to a registry that ends with the test. @param source As skopeo takes it. */
export async function publish(bench: Workbench, source: string, options: ProxyOptions = {}): Promise<Published> {
  const registry = await startRegistry();
  if (registry === undefined) throw new Error("docker-registry is not installed");
  bench.defer(registry.stop);
  const push = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", source];
  await mustRun([...push, `docker://${registry.host}/test/image:v1`]);
  const proxy = new FaultProxy(registry.host, options);
  bench.defer(() => proxy.stop());
  return { proxy, reference: `${proxy.host}/test/image:v1` };
}
