/** clip profile: into an archive, out of it, and what it tells. */
import assert from "node:assert/strict";
import { clip, fail, inWorkplace, succeed, type Workplace } from "./fake_io.ts";

const { test } = Deno;

/** The sample, its layers' diffIds, and a way to write profiles. */
function inProfileWorkplace(
  work: (
    place: Workplace & { diffIds: string[]; write: (name: string, ...lines: unknown[]) => string },
  ) => Promise<void>,
): Promise<void> {
  return inWorkplace(async (place) => {
    const { layers } = JSON.parse(await succeed(["inspect", "--json", place.archive]));
    const write = (name: string, ...lines: unknown[]) => {
      const text = [{ clipProfile: 1 }, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
      Deno.writeTextFileSync(`${place.folder}/${name}`, text);
      return `${place.folder}/${name}`;
    };
    await work({ ...place, write, diffIds: layers.map(({ diffId }: { diffId: string }) => diffId) });
  });
}

test("added, shown, added to, taken out: then the archive is what it was", () =>
  inProfileWorkplace(async ({ archive, diffIds, write, folder }) => {
    const before = await Deno.readFile(archive);
    const a = write("a", { diffId: diffIds[1], ranges: [[0, 10]] });
    const b = write("b", { diffId: diffIds[1], ranges: [[5, 600]] }, { diffId: diffIds[0], ranges: [[512, 1536]] });
    assert.equal(await succeed(["profile", "show", archive]), `${archive}: no profile\n`);
    assert.equal(await succeed(["profile", "add", archive, a]), `${archive}: 1 range of 10 B unpacked\n`);
    assert.equal(await succeed(["profile", "show", "--text", archive]), await Deno.readTextFile(a));
    // A span that a range before touches is not wanted twice.
    assert.equal(await succeed(["profile", "add", archive, b, a]), `${archive}: 2 ranges of 1.01 KiB unpacked\n`);
    const text = await succeed(["profile", "show", "--text", archive]);
    assert.equal(
      text,
      await Deno.readTextFile(write("c", { diffId: diffIds[1], ranges: [[0, 10]] }, {
        diffId: diffIds[0],
        ranges: [[512, 1536]],
      })),
    );
    const shown = await succeed(["profile", "show", archive]);
    assert.equal(shown.split("\n").length, 4);
    assert(shown.includes(`  ${diffIds[0]}: 1 range of 1.00 KiB unpacked\n`), shown);
    assert.equal(
      await succeed(["profile", "show", a]),
      `${a}: 1 range of 10 B unpacked\n  ${diffIds[1]}: 1 range of 10 B unpacked\n`,
    );
    assert.match(await succeed(["verify", archive]), /right/);
    assert.match(await succeed(["inspect", archive]), /profile .* B/);
    assert.match(await succeed(["warm", "--profile", archive, "--cache-dir", `${folder}/cache`]), /2 spans of/);
    assert.equal(await succeed(["profile", "rm", archive]), "");
    assert.deepEqual(await Deno.readFile(archive), before);
    assert.equal(await succeed(["profile", "rm", archive]), "");
  }));

test("layers of other images are left out, with a line; nothing but those is an error", () =>
  inProfileWorkplace(async ({ archive, diffIds, write }) => {
    const before = await Deno.readFile(archive);
    const other = { diffId: `sha256:${"0".repeat(64)}`, ranges: [[0, 1]] };
    const mixed = write("mixed", other, { diffId: diffIds[0], ranges: [[0, 10 ** 12]] });
    const { status, out, err } = await clip(["profile", "add", archive, write("other", other)]);
    assert.equal(status, 2);
    assert.equal(out, "");
    assert.match(
      err,
      /names a layer that the image does not have: left out .*\n.*nothing that the profiles name is in/s,
    );
    assert.deepEqual(await Deno.readFile(archive), before);
    const added = await clip(["profile", "add", archive, mixed]);
    assert.equal(added.status, 0);
    assert.match(added.err, /left out.*\n.*1 ranges reach past the end of their layer: cut\n$/s);
    assert.match(added.out, /: 1 range of 6.50 KiB unpacked/);
  }));

test("an image stands for the archive that was made of it", () =>
  inProfileWorkplace(async ({ image, diffIds, write, folder }) => {
    const args = [image, "--cache-dir", `${folder}/cache`, "--platform", "linux/amd64", "--progress", "none"];
    const a = write("a", { diffId: diffIds[0], ranges: [[0, 10]] });
    assert.match(await fail(["profile", "show", ...args], 1), /never looked up here/);
    await succeed(["warm", ...args]);
    assert.match(await succeed(["profile", "add", ...args, a]), /: 1 range of 10 B unpacked/);
    assert.match(await succeed(["warm", "--profile", ...args]), /: 1 spans? of/);
  }));

test("what cannot be", () =>
  inProfileWorkplace(async ({ archive, folder, write }) => {
    const before = await Deno.readFile(archive);
    assert.match(await fail(["profile"], 2), /ACTION/);
    assert.match(await fail(["profile", "put", archive], 2), /add.*put|put.*add/);
    assert.match(await fail(["profile", "add"], 2), /FILE|missing/);
    assert.match(await fail(["profile", "add", archive], 2), /PROFILE is missing/);
    assert.match(await fail(["profile", "rm", archive, "x"], 2), /one file/);
    assert.match(await fail(["profile", "rm", "--text", archive], 2), /--text goes with show/);
    assert.match(await fail(["profile", "add", archive, `${folder}/none`], 1), /cannot read .*none: it does not exist/);
    assert.match(await fail(["profile", "add", archive, archive], 1), /this is no profile/);
    assert.match(
      await fail(["profile", "add", archive, write("bad", { diffId: "x", ranges: [] })], 1),
      /diffId in line 2/,
    );
    const huge = write("huge");
    await Deno.truncate(huge, 2 ** 30);
    assert.match(await fail(["profile", "add", archive, huge], 1), /it has 1073741824 bytes/);
    assert.match(await fail(["profile", "show", `${folder}/none.clip`], 1), /does not exist/);
    assert.match(await fail(["profile", "add", write("text"), write("more")], 1), /not a \.clip file/);
    assert.deepEqual(await Deno.readFile(archive), before);
  }));
