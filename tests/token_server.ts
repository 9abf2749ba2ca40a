/**
 * A token server for a real registry: it signs JWTs by a key made on the spot, for users and for refresh tokens.
 * Source: distribution/docs/spec/auth/token.md, jwt.md, oauth.md.
 */
import { Buffer } from "node:buffer";
import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from "node:crypto";
import type { TokenIssuer } from "./real_registry.ts";
import { makeSelfSigned } from "./self_signed.ts";

/** A token server that is running. */
export interface TokenServer {
  readonly issuer: TokenIssuer;
  /** What it was asked: method, scope, and as whom; never a password. */
  readonly asked: { method: string; scope: string; user: string | undefined }[];
  /** The tokens that it gave. */
  readonly given: string[];
  /** Of those that it gives from now on. */
  lifetimeSeconds: number;
  stop(): Promise<void>;
}

/** Whom it knows. */
export interface TokenServerOptions {
  readonly username: string;
  readonly password: string;
  readonly refreshToken?: string;
}

const SERVICE = "clip test registry";
const ISSUER = "clip test issuer";
/** docker-registry takes a token so much longer than it says itself: registry/auth/token/token.go, `Leeway`. */
const LEEWAY_SECONDS = 60;

/** Starts it on a free port of 127.0.0.1. Needs openssl, to make its certificate. */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { key, certificate } = await makeSelfSigned();
  const asked: TokenServer["asked"] = [];
  const given: string[] = [];
  const answer = async (request: Request) => {
    const parameters = request.method === "POST"
      ? new URLSearchParams(await request.text())
      : new URL(request.url).searchParams;
    const user = whoIs(request, parameters, options);
    const scope = parameters.get("scope") ?? "";
    asked.push({ method: request.method, scope, user });
    if (user === undefined) return new Response("", { status: 401 });
    const { lifetimeSeconds } = self;
    const token = signToken(key, { scope, user, lifetimeSeconds });
    given.push(token);
    return Response.json({ token, access_token: token, expires_in: lifetimeSeconds });
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, answer);
  const realm = `http://127.0.0.1:${server.addr.port}/token`;
  const self: TokenServer = {
    issuer: { realm, service: SERVICE, issuer: ISSUER, certificate },
    asked,
    given,
    lifetimeSeconds: 60,
    stop: () => server.shutdown(),
  };
  return self;
}

function whoIs(request: Request, parameters: URLSearchParams, options: TokenServerOptions): string | undefined {
  if (request.method === "POST") {
    return parameters.get("refresh_token") === options.refreshToken ? options.username : undefined;
  }
  const expected = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString("base64")}`;
  return request.headers.get("authorization") === expected ? options.username : undefined;
}

function signToken(
  key: string,
  { scope, user, lifetimeSeconds }: { scope: string; user: string; lifetimeSeconds: number },
): string {
  const privateKey = createPrivateKey(key);
  const now = Math.floor(Date.now() / 1000);
  const access = scope.split(" ").filter((part) => part !== "").map((part) => {
    const [type, name, actions] = part.split(":");
    return { type, name, actions: actions!.split(",") };
  });
  const times = { exp: now + lifetimeSeconds - LEEWAY_SECONDS, nbf: now - 2 * LEEWAY_SECONDS, iat: now };
  const claims = { iss: ISSUER, sub: user, aud: SERVICE, ...times, jti: randomUUID(), access };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ typ: "JWT", alg: "ES256", kid: keyId(key) })}.${encode(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

/** What the registry calls a key. Source: docker/libtrust, util.go, `keyIDFromCryptoKey`. */
function keyId(key: string): string {
  const der = createPublicKey(key).export({ type: "spki", format: "der" }) as Buffer;
  const digest = createHash("sha256").update(der).digest().subarray(0, 30);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const text = bits.match(/.{5}/g)!.map((five) => alphabet[parseInt(five, 2)]).join("");
  return text.match(/.{4}/g)!.join(":");
}
