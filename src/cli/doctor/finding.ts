import { escapeControls } from "../../base/mod.ts";

/** What a check found out. */
export interface Finding {
  /** Of what: `kernel`, `/dev/fuse`. */
  readonly check: string;
  /** `fail`: something that clip is for does not work; `warn`: it works, with less than there could be. */
  readonly state: "ok" | "warn" | "fail";
  /** How it is. */
  readonly says: string;
  /** What to do; always there unless it is `ok`. */
  readonly advice?: string;
}

/** All is well. */
export function ok(check: string, says: string): Finding {
  return { check, state: "ok", says };
}

/** Less than there could be. */
export function warn(check: string, says: string, advice: string): Finding {
  return { check, state: "warn", says, advice };
}

/** Something does not work. */
export function fail(check: string, says: string, advice: string): Finding {
  return { check, state: "fail", says, advice };
}

/** As one line; names and errors come from anywhere. */
export function showFinding({ check, state, says, advice }: Finding): string {
  const text = `${state.padEnd(4)}  ${check}: ${says}${advice === undefined ? "" : ` → ${advice}`}`;
  return `${escapeControls(text.replaceAll("\n", " "))}\n`;
}
