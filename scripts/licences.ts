import { type Lock, runtimeLock } from "./runtime_packages.ts";

const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;
const RULE = "=".repeat(80);

const DENO_LICENCE = `MIT License

Copyright 2018-2025 the Deno authors

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of
the Software, and to permit persons to whom the Software is furnished to do so,
subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const V8_LICENCE = `Copyright 2014, the V8 project authors. All rights reserved.
Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are
met:

    * Redistributions of source code must retain the above copyright
      notice, this list of conditions and the following disclaimer.
    * Redistributions in binary form must reproduce the above
      copyright notice, this list of conditions and the following
      disclaimer in the documentation and/or other materials provided
      with the distribution.
    * Neither the name of Google Inc. nor the names of its
      contributors may be used to endorse or promote products derived
      from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS
"AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT
LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR
A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT
OWNER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT
LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY
THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT
(INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

Of what else is inside Deno: https://github.com/denoland/deno/blob/main/Cargo.lock`;

/**
 * The licences of all that is in an executable which this Deno compiles: clip's, Deno's, and those of the packages, as they
 * are in the packages.
 * @param root The tree of clip, with a `/` at its end; its packages must have been fetched.
 */
export async function collectLicences(root: string): Promise<string> {
  const lock: Lock = JSON.parse(await Deno.readTextFile(`${root}deno.lock`));
  const { deno, v8 } = Deno.version;
  const parts = [
    section("clip: Apache-2.0", await Deno.readTextFile(`${root}LICENSE`)),
    section(`Deno ${deno}: MIT`, DENO_LICENCE),
    section(`V8 ${v8}, inside Deno: BSD-3-Clause`, V8_LICENCE),
  ];
  const cache = await npmCache();
  for (const id of Object.keys(runtimeLock(lock).npm).sort()) {
    const at = id.lastIndexOf("@");
    const folder = `${cache}/registry.npmjs.org/${id.slice(0, at)}/${id.slice(at + 1)}`;
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => LICENCE_FILE.test(name));
    const texts = await Promise.all(names.sort().map((name) => Deno.readTextFile(`${folder}/${name}`)));
    const { license, author } = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
    const whose = typeof author === "string" ? author : author?.name ?? "";
    // Some packages only name their licence.
    parts.push(section(`${id}: ${license}`, texts.length > 0 ? texts.map((text) => text.trim()).join("\n\n") : whose));
  }
  return parts.join("\n");
}

function section(title: string, text: string): string {
  return `${RULE}\n${title}\n\n${text.trim()}\n`;
}

async function npmCache(): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stderr: "inherit" });
  const { success, stdout } = await command.output();
  if (!success) throw new Error("deno info failed");
  return JSON.parse(new TextDecoder().decode(stdout)).npmCache;
}
