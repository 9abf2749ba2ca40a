import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CorruptError,
  displayByteString,
  equalBytes,
  fromByteString,
  highU32,
  joinU64,
  lowU32,
  readU64,
  toByteString,
  utf8ToByteString,
  writeU64,
} from "../../src/base/mod.ts";

const PLACE = { subject: "archive", field: "size", offset: 40 };
const view = () => new DataView(new ArrayBuffer(24));

Deno.test("a u64 is little-endian, at any place", () => {
  const bytes = view();
  writeU64(bytes, 3, 0x0102030405060);
  assert.deepEqual([...new Uint8Array(bytes.buffer, 0, 12)], [0, 0, 0, 0x60, 0x50, 0x40, 0x30, 0x20, 0x10, 0, 0, 0]);
  assert.equal(readU64(bytes, 3, PLACE), 0x0102030405060);
  assert.equal(bytes.getBigUint64(3, true), 0x0102030405060n);
});

Deno.test("every whole number up to 2^53−1 survives, and negative ones as two's complement", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    const bytes = view();
    writeU64(bytes, 8, value);
    assert.equal(readU64(bytes, 8, PLACE), value);
    assert.equal(joinU64(lowU32(value), highU32(value), PLACE), value);
  }));
  fc.assert(fc.property(fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }), (value) => {
    const bytes = view();
    writeU64(bytes, 8, value);
    assert.equal(bytes.getBigInt64(8, true), BigInt(value));
    assert.equal((highU32(value) | 0) * 2 ** 32 + lowU32(value), value);
  }));
});

Deno.test("a u64 above 2^53−1 is refused with its place and exact value", () => {
  const bytes = view();
  bytes.setBigUint64(0, 2n ** 53n - 1n, true);
  assert.equal(readU64(bytes, 0, PLACE), Number.MAX_SAFE_INTEGER);
  for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
    bytes.setBigUint64(0, value, true);
    for (const place of [PLACE, () => PLACE]) {
      assert.throws(() => readU64(bytes, 0, place), (error) => {
        assert.ok(error instanceof CorruptError);
        assert.equal(error.message, `archive: bad size at byte 40: found ${value}, expected at most 9007199254740991`);
        return true;
      });
    }
  }
});

Deno.test("the text of a place is not made where there is no error", () => {
  let made = 0;
  joinU64(1, 2, () => {
    made++;
    return PLACE;
  });
  assert.equal(made, 0);
});

Deno.test("byte strings hold all 256 bytes and compare in their order", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const text = toByteString(all);
  assert.equal(text.length, 256);
  assert.deepEqual(fromByteString(text), all);
  assert.equal(toByteString(all, 10, 12), "\n\v");
  assert.equal(toByteString(all.subarray(100), 1, 3), "ef");
  assert.equal(toByteString(new Uint8Array(0)), "");
  fc.assert(fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
    const [x, y] = [toByteString(a), toByteString(b)];
    assert.deepEqual(fromByteString(x), new Uint8Array(a));
    const order = Math.sign([...a].map((byte, i) => byte - (b[i] ?? -1)).find((d) => d !== 0) ?? a.length - b.length);
    assert.equal(x < y ? -1 : x > y ? 1 : 0, order);
  }));
});

Deno.test("bytes of a byte string are a fresh array, over a buffer of their own", () => {
  const bytes = fromByteString("ab");
  bytes[0] = 0;
  assert.equal(bytes.buffer.byteLength, 2);
  assert.deepEqual(fromByteString("ab"), Uint8Array.of(97, 98));
});

Deno.test("text is put into byte strings as UTF-8", () => {
  assert.equal(utf8ToByteString("é€😀"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  assert.equal(displayByteString(utf8ToByteString("é€😀")), "é€😀");
});

Deno.test("what people see: UTF-8 as it is, anything else as escapes", () => {
  const cases: [string, string][] = [
    ["", ""],
    ["plain name~", "plain name~"],
    ["caf\xc3\xa9", "café"],
    ["caf\xe9", "caf\\xe9"],
    ["\xff\xfe", "\\xff\\xfe"],
    ["\xe2\x82", "\\xe2\\x82"], // cut short
    ["\xe2\x82x", "\\xe2\\x82x"],
    ["\xc0\xaf", "\\xc0\\xaf"], // overlong
    ["\xed\xa0\x80", "\\xed\\xa0\\x80"], // a surrogate
    ["\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"], // beyond U+10FFFF
    ["\x80", "\\x80"],
    ["a\nb\tc\rd", "a\\nb\\tc\\x0dd"],
    ["\x1b[2J\x07\x7f\0", "\\x1b[2J\\x07\\x7f\\x00"],
    ["\xc2\x9b31m", "\\xc2\\x9b31m"], // CSI as one character
    ["a\\b", "a\\\\b"],
    [utf8ToByteString("\u202eexe.txt"), "\\xe2\\x80\\xaeexe.txt"], // right-to-left override
    [utf8ToByteString("\u2066x\u2069"), "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9"],
    [utf8ToByteString("\u2028\u2029"), "\\xe2\\x80\\xa8\\xe2\\x80\\xa9"],
    [utf8ToByteString("\ufeff\u200b"), "\\xef\\xbb\\xbf\\xe2\\x80\\x8b"],
    [utf8ToByteString("日本語 😀"), "日本語 😀"],
  ];
  for (const [bytes, shown] of cases) assert.equal(displayByteString(bytes), shown);
});

Deno.test("no two names look alike, and none can drive a terminal", () => {
  const bytes = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 });
  const tricky = fc.array(fc.constantFrom(0x5c, 0x78, 0x30, 0x6e, 0x0a, 0xc3, 0xa9, 0xe2, 0x80, 0xae), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.oneof(bytes, tricky), (of) => {
      const shown = displayByteString(toByteString(Uint8Array.from(of)));
      assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      assert.deepEqual(undisplay(shown), of);
    }),
    { numRuns: 3000 },
  );
});

/** The bytes that displayByteString has shown so. */
function undisplay(shown: string): number[] {
  return [...shown.matchAll(/\\x([0-9a-f]{2})|\\([nt\\])|([^\\])/gu)].flatMap(([, hex, letter, char]) => {
    if (hex !== undefined) return [parseInt(hex, 16)];
    if (letter !== undefined) return [{ n: 10, t: 9 }[letter] ?? 0x5c];
    return [...new TextEncoder().encode(char)];
  });
}

Deno.test("arrays of bytes are equal by their contents", () => {
  const wide = Uint8Array.of(9, 1, 2, 3, 9);
  assert.ok(equalBytes(wide.subarray(1, 4), Uint8Array.of(1, 2, 3)));
  assert.ok(equalBytes(new Uint8Array(0), new Uint8Array(0)));
  assert.ok(!equalBytes(Uint8Array.of(1), Uint8Array.of(1, 2)));
  assert.ok(!equalBytes(Uint8Array.of(1, 3), Uint8Array.of(1, 2)));
});
