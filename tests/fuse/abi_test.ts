import assert from "node:assert/strict";
import { Opcode, type RecordLayout, RECORDS } from "../../src/fuse/abi.ts";

const HEADER = "/usr/include/linux/fuse.h";

Deno.test("the fields of each record tile it", () => {
  assert.ok(RECORDS.length >= 14);
  for (const { name, sizeBytes, fields } of RECORDS) {
    let at = 0;
    for (const field of fields) {
      assert.equal(field.offset, at, `${name}.${field.name}`);
      at += field.bytes;
    }
    assert.equal(at, sizeBytes, name);
  }
});

Deno.test("fields are aligned as C aligns them", () => {
  for (const { name, fields } of RECORDS) {
    for (const field of fields) {
      if ([2, 4, 8].includes(field.bytes)) assert.equal(field.offset % field.bytes, 0, `${name}.${field.name}`);
    }
  }
});

Deno.test({
  name: "records and opcodes are those of the kernel's header",
  ignore: skipWithout(HEADER),
  fn: async () => {
    const header = await Deno.readTextFile(HEADER);
    const structs = parseStructs(header);
    for (const record of RECORDS) compareRecord(record, structs);
    let compared = 0;
    for (const [, name, value] of header.matchAll(/^\s*FUSE_(\w+)\s*=\s*(\d+),/gm)) {
      const ours = (Opcode as Record<string, number>)[name!];
      // An older header lacks newer opcodes; names of notifications (`FUSE_NOTIFY_…`) are no opcodes.
      if (ours === undefined) continue;
      assert.equal(ours, Number(value), name);
      compared++;
    }
    assert.ok(compared > 40, `only ${compared} opcodes found`);
  },
});

function skipWithout(path: string): boolean {
  try {
    Deno.statSync(path);
    return false;
  } catch {
    // deno-lint-ignore no-console -- a skip says why
    console.log(`skipped: ${path} is missing (package linux-libc-dev)`);
    return true;
  }
}

interface CField {
  name: string;
  offset: number;
}

interface CStruct {
  sizeBytes: number;
  align: number;
  fields: CField[];
}

/** The layouts that a C compiler for a 64-bit machine gives the structs of the header. */
function parseStructs(header: string): Map<string, CStruct> {
  const structs = new Map<string, CStruct>();
  const bare = header.replace(/\/\*.*?\*\//gs, "");
  for (const [, name, body] of bare.matchAll(/^struct (\w+) \{(.*?)^\};/gms)) {
    const struct: CStruct = { sizeBytes: 0, align: 1, fields: [] };
    for (const [, type, field, count] of body!.matchAll(/^\s*((?:struct )?\w+)\s+(\w+)(?:\[(\w*)\])?;/gm)) {
      const inner = structs.get(type!.replace("struct ", ""));
      const bytes = inner?.sizeBytes ?? Number(/(\d+)_t$/.exec(type!)?.[1] ?? 8) / 8;
      const align = inner?.align ?? bytes;
      const offset = Math.ceil(struct.sizeBytes / align) * align;
      struct.fields.push({ name: field!, offset });
      struct.sizeBytes = offset + bytes * (count === undefined ? 1 : Number(count || 0));
      struct.align = Math.max(struct.align, align);
    }
    struct.sizeBytes = Math.ceil(struct.sizeBytes / struct.align) * struct.align;
    structs.set(name!, struct);
  }
  return structs;
}

function compareRecord(record: RecordLayout, structs: Map<string, CStruct>): void {
  const struct = structs.get(record.name);
  assert.ok(struct !== undefined, `${record.name} is not in the header`);
  assert.equal(record.sizeBytes, struct.sizeBytes, record.name);
  for (const { name, offset } of record.fields) {
    const theirs: CField | undefined = struct.fields.find((field) => field.name === name);
    // What one header calls padding or unused has a name in the next.
    if (theirs === undefined) assert.match(name, /^(unused|padding|dummy|flags|total_extlen|spare)/, record.name);
    else assert.equal(offset, theirs.offset, `${record.name}.${name}`);
  }
}
