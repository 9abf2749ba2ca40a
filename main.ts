/** The `clip` program: hands the command line to `run` and its status to the system. */
import { run } from "./src/cli/run.ts";
import { systemIo } from "./src/cli/system_io.ts";

if (import.meta.main) Deno.exit(await run(Deno.args, systemIo()));
