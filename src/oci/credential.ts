import { Buffer } from "node:buffer";

/** What somebody logs in to a registry with. Never to be printed. */
export type Credential =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, exchanged for access tokens; `username` is whose, where that is known. */
  | { readonly kind: "identity"; readonly refreshToken: string; readonly username?: string }
  /** An access token to be sent as it is. */
  | { readonly kind: "bearer"; readonly token: string };

/** A credential, and where it is from. */
export interface Login {
  /** Who to be. */
  readonly credential: Credential;
  /** For messages: `--creds`, `~/.docker/config.json`, `docker-credential-pass`. Holds no secret. */
  readonly origin: string;
}

/** By this name helpers and configs say that the password is a refresh token. Source: docker/docker-credential-helpers. */
const TOKEN_USER = "<token>";

/** The credential of a user and a password as configs, helpers and options have them. */
export function userCredential(username: string, password: string): Credential {
  return username === TOKEN_USER ? { kind: "identity", refreshToken: password } : { kind: "basic", username, password };
}

/** The value of an Authorization header by which `credential` goes to a server as user and password. */
export function basicHeader(credential: Exclude<Credential, { kind: "bearer" }>): string {
  const { username = TOKEN_USER } = credential;
  const password = credential.kind === "basic" ? credential.password : credential.refreshToken;
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}
