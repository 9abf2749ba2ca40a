import assert from "node:assert/strict";
import { ClipError } from "../../src/base/mod.ts";
import { codecByName, codecForLayer } from "../../src/codec/mod.ts";

const OCI = "application/vnd.oci.image.layer.v1.tar";
const DOCKER = "application/vnd.docker.image.rootfs.diff.tar";

function tarStart(name = "etc/passwd"): Uint8Array {
  const block = new Uint8Array(512);
  block.set(new TextEncoder().encode(name));
  block.set(new TextEncoder().encode("ustar\x0000"), 257);
  return block;
}

const GZIP = Uint8Array.of(0x1f, 0x8b, 8, 0);
const ZSTD = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);

function unsupported(mediaType: string, firstBytes: Uint8Array, message: RegExp): void {
  assert.throws(() => codecForLayer({ mediaType, firstBytes }), (error) => {
    assert(error instanceof ClipError);
    assert.equal(error.code, "unsupported");
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("registry: a codec by its name", () => {
  assert.equal(codecByName("none").name, "none");
  assert.equal(codecByName("gzip").name, "gzip");
  assert.throws(() => codecByName("lz4"), /codec "lz4".*none, gzip/);
});

Deno.test("registry: media type and first bytes agree", () => {
  for (
    const mediaType of [
      `${OCI}+gzip`,
      `${DOCKER}.gzip`,
      "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ]
  ) {
    assert.deepEqual(codecForLayer({ mediaType, firstBytes: GZIP }), { codec: codecByName("gzip") });
  }
  for (const mediaType of [OCI, DOCKER]) {
    assert.deepEqual(codecForLayer({ mediaType, firstBytes: tarStart() }), { codec: codecByName("none") });
    assert.deepEqual(codecForLayer({ mediaType, firstBytes: new Uint8Array(1024) }), { codec: codecByName("none") });
  }
});

Deno.test("registry: the first bytes win, with a warning", () => {
  const asTar = codecForLayer({ mediaType: `${OCI}+gzip`, firstBytes: tarStart() });
  assert.equal(asTar.codec.name, "none");
  assert.match(asTar.warning!, /tar\+gzip.*uncompressed tar/);
  const asGzip = codecForLayer({ mediaType: OCI, firstBytes: GZIP });
  assert.equal(asGzip.codec.name, "gzip");
  assert.match(asGzip.warning!, /v1\.tar".*gzip/);
  const unknown = codecForLayer({ mediaType: "application/octet-stream", firstBytes: GZIP });
  assert.equal(unknown.codec.name, "gzip");
  assert(unknown.warning !== undefined);
});

Deno.test("registry: where the first bytes tell nothing, the media type decides", () => {
  assert.equal(codecForLayer({ mediaType: OCI, firstBytes: Uint8Array.of(1, 2, 3) }).codec.name, "none");
  assert.equal(codecForLayer({ mediaType: `${OCI}+gzip`, firstBytes: new Uint8Array(0) }).codec.name, "gzip");
});

Deno.test("registry: a tar whose first file is named like a compressed format is a tar", () => {
  for (const name of ["BZh", "\x1f", "(\x2f"]) {
    assert.equal(codecForLayer({ mediaType: OCI, firstBytes: tarStart(name) }).codec.name, "none");
  }
});

Deno.test("registry: zstd is told by its frames, skippable ones too", () => {
  assert.equal(codecForLayer({ mediaType: `${OCI}+zstd`, firstBytes: ZSTD }).codec.name, "zstd");
  assert.match(codecForLayer({ mediaType: `${OCI}+gzip`, firstBytes: ZSTD }).warning!, /tar\+gzip".*zstd/);
  const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18);
  assert.equal(codecForLayer({ mediaType: `${OCI}+zstd`, firstBytes: skippable }).codec.name, "zstd");
});

Deno.test("registry: what clip cannot read is named", () => {
  unsupported(OCI, new TextEncoder().encode("BZh91AY"), /compressed with bzip2/);
  unsupported(OCI, Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), /compressed with xz/);
  unsupported(`${OCI}+lz4`, new Uint8Array(4), /compressed with lz4/);
  unsupported(`${OCI}+gzip+encrypted`, GZIP, /encrypted/);
  unsupported("application/json", new TextEncoder().encode("{}"), /"application\/json" is none of a layer/);
});
