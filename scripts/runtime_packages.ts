/** Packages of deno.json that only development needs: neither compiled nor licensed with the program. */
export const DEVELOPMENT_ONLY: readonly string[] = [
  "assemblyscript",
  "echarts",
  "esbuild",
  "fast-check",
  "playwright-core",
];

/** What of deno.lock is of interest. */
export interface Lock {
  npm: Record<string, { dependencies?: string[] }>;
  specifiers: Record<string, string>;
  workspace: { dependencies: string[] };
}

/** The entries whose key or value names no package that only development needs. */
export function withoutDevelopment<Value>(object: Record<string, Value>): Record<string, Value> {
  return Object.fromEntries(Object.entries(object).filter(([key, value]) => !isDevelopment(`${key} ${value}`)));
}

function isDevelopment(specifier: string): boolean {
  return DEVELOPMENT_ONLY.some((name) => specifier.includes(name)) || specifier.includes("@types/");
}

/** deno.lock without what only development needs; versions and checksums stay the locked ones. */
export function runtimeLock(lock: Lock): Lock {
  const specifiers = withoutDevelopment(lock.specifiers);
  const needed = new Set<string>();
  const need = (id: string) => {
    const key = id in lock.npm ? id : Object.keys(lock.npm).find((other) => other.replace(/@[^@]*$/, "") === id);
    if (key === undefined || needed.has(key)) return;
    needed.add(key);
    lock.npm[key]!.dependencies?.forEach(need);
  };
  for (const [specifier, version] of Object.entries(specifiers)) {
    need(`${specifier.replace(/^npm:/, "").replace(/@[^@/]*$/, "")}@${version}`);
  }
  return {
    ...lock,
    specifiers,
    npm: Object.fromEntries(Object.entries(lock.npm).filter(([id]) => needed.has(id))),
    workspace: {
      ...lock.workspace,
      dependencies: lock.workspace.dependencies.filter((specifier) => !isDevelopment(specifier)),
    },
  };
}
