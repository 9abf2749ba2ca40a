import assert from "node:assert/strict";
import { FileRangeSource, LazyFile } from "../../src/base/file_range_source.ts";
import { noise } from "../oci/fake_registry.ts";
import { withFolder } from "../oci/make_layout.ts";
import { assertBytes, collect, failure } from "../oci/test_support.ts";

const BYTES = noise(3_000_000, 6);

async function withFile(work: (path: string, file: LazyFile) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const path = `${folder}/file`;
    Deno.writeFileSync(path, BYTES);
    const file = new LazyFile(path);
    try {
      await work(path, file);
    } finally {
      file.close();
    }
  });
}

Deno.test("a part of a file: ranges at the same time, and streams", () =>
  withFile(async (_, file) => {
    const part = new FileRangeSource({ file, offset: 1000, sizeBytes: 2_500_000, description: "part" });
    const whole = BYTES.slice(1000, 2_501_000);
    assertBytes(await collect(part), whole);
    assertBytes(await collect(part, 1_234_567), whole.slice(1_234_567));
    assertBytes(await collect(part, 2_500_000), new Uint8Array());
    await Promise.all(Array.from({ length: 50 }, async (__, index) => {
      const range = { offset: index * 40_000, endExclusive: index * 40_000 + 100_000 };
      assertBytes(await part.readRange(range), whole.slice(range.offset, range.endExclusive));
    }));
    await failure(() => part.readRange({ offset: 0, endExclusive: 2_500_001 }), "internal");
    await failure(() => part.readRange({ offset: -1, endExclusive: 5 }), "internal");
    await failure(() => part.readRange({ offset: 6, endExclusive: 5 }), "internal");
  }));

Deno.test("a file that shrank, is another one, is closed, or is none", () =>
  withFile(async (path, file) => {
    const open = (fileBytes?: number) =>
      new FileRangeSource({
        file,
        offset: 0,
        sizeBytes: BYTES.length,
        description: "x",
        ...(fileBytes === undefined ? {} : { fileBytes }),
      });
    await failure(() => open(5).readRange({ offset: 0, endExclusive: 5 }), "corrupt");
    const source = open(BYTES.length);
    await source.readRange({ offset: 0, endExclusive: 5 });
    Deno.truncateSync(path, 10_000);
    const error = await failure(() => source.readRange({ offset: 9_000, endExclusive: 11_000 }), "io");
    assert.match(error.message, /ends at byte 10000, expected 11000/);
    await failure(() => collect(source), "io");
    file.close();
    await failure(() => source.readRange({ offset: 0, endExclusive: 5 }), "aborted");
    await failure(() => new LazyFile(`${path}/none`).sizeBytes(), "not_found");
    const folder = new LazyFile(path.slice(0, path.lastIndexOf("/")));
    await failure(() => folder.sizeBytes(), "io");
    folder.close();
  }));

Deno.test("a named pipe in place of a file is refused, not waited for", () =>
  withFolder(async (folder) => {
    const { success } = new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).outputSync();
    assert(success);
    const pipe = new LazyFile(`${folder}/pipe`);
    const error = await failure(() => pipe.sizeBytes(), "io");
    assert.match(error.message, /pipe: it is not a regular file$/);
  }));

Deno.test("aborting ends a stream between two pieces", () =>
  withFile(async (_, file) => {
    const source = new FileRangeSource({ file, offset: 0, sizeBytes: BYTES.length, description: "x" });
    const stopper = new AbortController();
    const pieces: number[] = [];
    const read = async () => {
      for await (const piece of source.stream({ signal: stopper.signal })) {
        pieces.push(piece.length);
        stopper.abort(new Error("enough"));
      }
    };
    await assert.rejects(read(), { message: "enough" });
    assert.equal(pieces.length, 1);
    await assert.rejects(source.readRange({ offset: 0, endExclusive: 5 }, stopper.signal), { message: "enough" });
  }));
