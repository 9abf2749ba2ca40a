import assert from "node:assert/strict";
import { ClipError, equalBytes, writeFileAtomically } from "../../src/base/mod.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** Runs `body` in a folder of its own. */
async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-write-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Fails unless writing to `path` fails with an io error that names it. */
async function failsNaming(path: string, pieces: Iterable<Uint8Array>): Promise<ClipError> {
  let caught: unknown;
  await writeFileAtomically(path, pieces).catch((error) => caught = error);
  assert.ok(caught instanceof ClipError && caught.code === "io", String(caught));
  assert.ok(caught.message.startsWith(`cannot write ${path}: `), caught.message);
  return caught;
}

Deno.test("pieces are written one after another, and nothing else is left in the folder", () =>
  inFolder(async (folder) => {
    await writeFileAtomically(`${folder}/some.clip`, [bytes("one "), new Uint8Array(0), bytes("two")]);
    assert.equal(await Deno.readTextFile(`${folder}/some.clip`), "one two");
    await writeFileAtomically(`${folder}/empty`, []);
    assert.equal((await Deno.stat(`${folder}/empty`)).size, 0);
    assert.equal((await Deno.stat(`${folder}/empty`)).mode! & 0o777 & ~Deno.umask(), 0o644 & ~Deno.umask());
    if (Deno.uid() === 0) await Deno.chown(`${folder}/some.clip`, 1234, 1234);
    await Deno.chmod(`${folder}/some.clip`, 0o620);
    const { uid, gid } = await Deno.stat(`${folder}/some.clip`);
    const large = new Uint8Array(5_000_000).map((_, i) => i * 31);
    await writeFileAtomically(`${folder}/some.clip`, [large]);
    assert.ok(equalBytes(await Deno.readFile(`${folder}/some.clip`), large));
    const after = await Deno.stat(`${folder}/some.clip`);
    assert.deepEqual([after.uid, after.gid, after.mode! & 0o777], [uid, gid, 0o620], "as it was");
    assert.deepEqual(namesIn(folder), ["empty", "some.clip"]);
  }));

Deno.test("a failure keeps what was there and leaves nothing behind", () =>
  inFolder(async (folder) => {
    const path = `${folder}/some.clip`;
    await Deno.writeTextFile(path, "before");
    const error = await failsNaming(
      path,
      function* () {
        yield bytes("half");
        throw new Error("no more");
      }(),
    );
    assert.match(error.message, /no more$/);
    assert.equal(await Deno.readTextFile(path), "before");
    assert.deepEqual(namesIn(folder), ["some.clip"]);
    await failsNaming(
      `${folder}/new`,
      function* () {
        yield bytes("half");
        throw new Error("no more");
      }(),
    );
    assert.deepEqual(namesIn(folder), ["some.clip"]);
  }));

Deno.test("others see the old contents until the new ones are whole", () =>
  inFolder(async (folder) => {
    const path = `${folder}/some.clip`;
    await Deno.writeTextFile(path, "before");
    const seen: string[] = [];
    await writeFileAtomically(
      path,
      function* () {
        for (const text of ["a", "b", "c"]) {
          seen.push(Deno.readTextFileSync(path));
          yield bytes(text);
        }
      }(),
    );
    assert.deepEqual(seen, ["before", "before", "before"]);
    assert.equal(await Deno.readTextFile(path), "abc");
  }));

Deno.test("folders that are missing, or no folders, or in the way are told", () =>
  inFolder(async (folder) => {
    await failsNaming(`${folder}/missing/some.clip`, [bytes("x")]);
    await Deno.writeTextFile(`${folder}/file`, "x");
    await failsNaming(`${folder}/file/some.clip`, [bytes("x")]);
    assert.match((await failsNaming(folder, [bytes("x")])).message, /it is a directory$/);
    await failsNaming(`${folder}/`, [bytes("x")]);
    assert.deepEqual(namesIn(folder), ["file"]);
    assert.equal(await Deno.readTextFile(`${folder}/file`), "x");
  }));

Deno.test("a name as long as the system allows", () =>
  inFolder(async (folder) => {
    for (const name of ["n".repeat(255), "é".repeat(127), "😀".repeat(63)]) {
      await writeFileAtomically(`${folder}/${name}`, [bytes("x")]);
      assert.equal(await Deno.readTextFile(`${folder}/${name}`), "x");
    }
    await failsNaming(`${folder}/${"n".repeat(256)}`, [bytes("x")]);
    assert.equal(namesIn(folder).length, 3);
  }));

Deno.test("a path without a folder is in the current one", () =>
  inFolder(async (folder) => {
    const before = Deno.cwd();
    Deno.chdir(folder);
    try {
      await writeFileAtomically("some.clip", [bytes("x")]);
    } finally {
      Deno.chdir(before);
    }
    assert.deepEqual(namesIn(folder), ["some.clip"]);
  }));

Deno.test("a symlink stays, and the file it leads to is replaced", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/there`);
    await Deno.writeTextFile(`${folder}/there/real`, "before");
    await Deno.symlink("there/real", `${folder}/link`);
    await writeFileAtomically(`${folder}/link`, [bytes("after")]);
    assert.ok((await Deno.lstat(`${folder}/link`)).isSymlink);
    assert.equal(await Deno.readTextFile(`${folder}/there/real`), "after");
    assert.deepEqual(namesIn(`${folder}/there`), ["real"]);
  }));

Deno.test("a pipe is written to, not replaced; so is a device", () =>
  inFolder(async (folder) => {
    const pipe = `${folder}/pipe`;
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    const reader = new Deno.Command("cat", { args: [pipe], stdout: "piped" }).spawn();
    await writeFileAtomically(pipe, [bytes("through "), bytes("the pipe")]);
    assert.equal(new TextDecoder().decode((await reader.output()).stdout), "through the pipe");
    assert.ok((await Deno.stat(pipe)).isFifo);
    assert.deepEqual(namesIn(folder), ["pipe"]);
    await writeFileAtomically("/dev/null", [bytes("gone")]);
    assert.ok((await Deno.stat("/dev/null")).isCharDevice);
  }));
