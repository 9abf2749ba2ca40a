/** An EC key, and a certificate of it for 127.0.0.1 that nobody else vouches for; both PEM. Needs openssl. */
export async function makeSelfSigned(): Promise<{ key: string; certificate: string }> {
  const folder = await Deno.makeTempDir({ prefix: "clip-self-signed-" });
  try {
    const args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=clip".split(" ");
    args.push("-addext", "subjectAltName=IP:127.0.0.1");
    const files = ["-keyout", `${folder}/key.pem`, "-out", `${folder}/certificate.pem`];
    const { success, stderr } = await new Deno.Command("openssl", { args: [...args, ...files] }).output();
    if (!success) throw new Error(`openssl: ${new TextDecoder().decode(stderr)}`);
    const read = (name: string) => Deno.readTextFile(`${folder}/${name}.pem`);
    return { key: await read("key"), certificate: await read("certificate") };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
