/** Users by name and number, against the image's own lists. */
import assert from "node:assert/strict";
import { needsUserFiles, resolveUser } from "../../src/bundle/mod.ts";

const { test } = Deno;

const FILES = {
  passwd: "root:x:0:0:root:/root:/bin/sh\n# a comment\nweb:x:33:34:web:/var/www:/bin/sh\nbroken:x:1\n" +
    "far:x:4294967295:0:::\nodd:x:abc:0:::\n123:x:77:77:::\n",
  group:
    "root:x:0:\nweb:x:34:\nlog:x:4:other,web\nvideo:x:44:web\ntape:x:26:web2\nfar:x:99999999999:\nagain:x:44:web\n",
};

const USERS: [string, unknown][] = [
  ["", { uid: 0, gid: 0 }],
  ["root", { uid: 0, gid: 0 }],
  ["web", { uid: 33, gid: 34, additionalGids: [4, 44] }],
  ["web:video", { uid: 33, gid: 44 }],
  ["web:7", { uid: 33, gid: 7 }],
  ["33", { uid: 33, gid: 34 }],
  ["33:log", { uid: 33, gid: 4 }],
  ["1000", { uid: 1000, gid: 0 }],
  ["1000:1000", { uid: 1000, gid: 1000 }],
  ["4294967294:0", { uid: 4294967294, gid: 0 }],
  // Digits are a number, whoever has them for a name.
  ["123", { uid: 123, gid: 0 }],
];

for (const [user, expected] of USERS) {
  test(`user ${JSON.stringify(user)}`, () => assert.deepEqual(resolveUser(user, FILES), expected));
}

const BAD: [string, RegExp][] = [
  ["nobody", /there is no user "nobody": it is not in the image's \/etc\/passwd/],
  ["web:nogroup", /there is no group "nogroup": it is not in the image's \/etc\/group/],
  ["broken", /no user "broken"/],
  ["../root", /no user "\.\.\/root"/],
  ["web\n", /no user "web\\n"/],
  ["far", /passwd: user far: "4294967295" is no number of 0 to 4294967294/],
  ["odd", /passwd: user odd: "abc" is no number/],
  ["web:far", /group: group far: "99999999999"/],
  ["4294967295", /4294967295 is larger than 4294967294/],
  ["0:99999999999999999999", /larger than/],
  ["-1", /no user "-1"/],
  ["a:b:c", /the user "a:b:c" is not USER/],
  [":0", /the user ":0" is not USER/],
  ["web:", /the user "web:" is not USER/],
];

for (const [user, message] of BAD) {
  test(`user ${JSON.stringify(user)} is an error`, () => assert.throws(() => resolveUser(user, FILES), { message }));
}

test("an image without users has numbers, and root", () => {
  const none = { passwd: undefined, group: undefined };
  assert.deepEqual(resolveUser("7", none), { uid: 7, gid: 0 });
  assert.deepEqual(resolveUser("", none), { uid: 0, gid: 0 });
  assert.throws(() => resolveUser("web", none), /no user "web": the image has no \/etc\/passwd/);
  assert.throws(() => resolveUser("7:web", none), /no group "web": the image has no \/etc\/group/);
});

test("the files are read only where they are needed", () => {
  assert.deepEqual(["", "0:0", "1", "web", "0:web"].map(needsUserFiles), [false, false, true, true, true]);
});
