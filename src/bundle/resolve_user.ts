import { ClipError, describeValue } from "../base/mod.ts";
import type { RuntimeUser } from "./runtime_config.ts";

/** The largest number of a user or group: the one above means "no change" to the kernel. */
const MAX_ID = 2 ** 32 - 2;

/** The image's own lists of users and groups, as far as it has them. */
export interface UserFiles {
  /** `/etc/passwd`. */
  readonly passwd: string | undefined;
  /** `/etc/group`. */
  readonly group: string | undefined;
}

/** Whether the image's files are needed to know who `user` is. */
export function needsUserFiles(user: string): boolean {
  return user !== "" && !/^\d+:\d+$/.test(user);
}

/**
 * Who `user` is: `user`, `uid`, `user:group`, `uid:gid`, `uid:group` or `user:gid`; root where it is empty. Numbers
 * are taken as they are, whether or not there is such a user; names have to be in the image. Without a group it is
 * the user's own, or 0 where nobody knows the number, and a named user has all groups that it is a member of.
 * @throws {ClipError} `not_found` naming the user or group; `corrupt` for what is neither name nor number.
 * Source: image-spec conversion.md, "Config.User"; passwd(5), group(5).
 */
export function resolveUser(user: string, files: UserFiles): RuntimeUser {
  if (user === "") return { uid: 0, gid: 0 };
  const [userPart, groupPart, ...rest] = user.split(":");
  if (rest.length > 0 || userPart === "" || groupPart === "") {
    throw new ClipError("corrupt", `the user ${describeValue(user)} is not USER, UID, USER:GROUP or the like`);
  }
  const uid = number(userPart!, user);
  const users = lines(files.passwd, 7);
  const found = uid === undefined
    ? users.find(([name]) => name === userPart)
    : users.find(([, , listed]) => listed === String(uid));
  if (uid === undefined && found === undefined) throw notThere("user", userPart!, "/etc/passwd", files.passwd);
  const id = uid ?? listedNumber(found![2], `/etc/passwd: user ${userPart}`);
  if (groupPart !== undefined) return { uid: id, gid: resolveGroup(groupPart, user, files) };
  const gid = found === undefined ? 0 : listedNumber(found[3], `/etc/passwd: group of user ${found[0]}`);
  if (uid !== undefined) return { uid: id, gid };
  const member = lines(files.group, 4).filter(([, , , members]) => members!.split(",").includes(userPart!));
  const additionalGids = member.map(([name, , listed]) => listedNumber(listed, `/etc/group: group ${name}`));
  return additionalGids.length === 0
    ? { uid: id, gid }
    : { uid: id, gid, additionalGids: [...new Set(additionalGids)] };
}

function resolveGroup(group: string, user: string, files: UserFiles): number {
  const gid = number(group, user);
  if (gid !== undefined) return gid;
  const found = lines(files.group, 4).find(([name]) => name === group);
  if (found === undefined) throw notThere("group", group, "/etc/group", files.group);
  return listedNumber(found[2], `/etc/group: group ${group}`);
}

/** The lines that have that many fields, split; others mean nothing. */
function lines(text: string | undefined, fields: number): string[][] {
  return (text ?? "").split("\n").map((line) => line.split(":")).filter((line) => line.length === fields);
}

/** The number that `text` is; undefined for a name. */
function number(text: string, user: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  if (value <= MAX_ID) return value;
  throw new ClipError("corrupt", `the user ${describeValue(user)}: ${text} is larger than ${MAX_ID}`);
}

function listedNumber(text: string | undefined, place: string): number {
  const value = /^\d+$/.test(text ?? "") ? Number(text) : NaN;
  if (value <= MAX_ID) return value;
  throw new ClipError("corrupt", `the image's ${place}: ${describeValue(text)} is no number of 0 to ${MAX_ID}`);
}

function notThere(what: string, name: string, file: string, text: string | undefined): ClipError {
  const because = text === undefined ? `the image has no ${file}` : `it is not in the image's ${file}`;
  return new ClipError("not_found", `there is no ${what} ${describeValue(name)}: ${because}`);
}
