#!/bin/sh
# Installs clip for this user, without root: fetches an archive that `deno task release` made, checks it, unpacks it.
#
#   sh install.sh BASE_URL [VERSION]
#
# BASE_URL: where the archives and SHA256SUMS are, https://…, http://… or file:///… . VERSION: default the last listed.
# CLIP_INSTALL_DIR: where to put the executable; default ~/.local/bin.
set -eu

die() {
  echo "install.sh: $*" >&2
  exit 1
}

fetch() { # URL FILE
  case $1 in
    file://*) cp "${1#file://}" "$2" || die "cannot read $1" ;;
    http://* | https://*)
      if command -v curl >/dev/null; then curl -fsSL --retry 2 -o "$2" "$1" || die "cannot fetch $1"
      elif command -v wget >/dev/null; then wget -q -O "$2" "$1" || die "cannot fetch $1"
      else die "needs curl or wget"; fi ;;
    *) die "$1: neither https://, http:// nor file://" ;;
  esac
}

[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: sh install.sh BASE_URL [VERSION]"
base=${1%/} version=${2:-}
[ "$(uname -s)" = Linux ] || die "clip is for Linux"
machine=$(uname -m)
case $machine in
  x86_64 | aarch64) ;;
  arm64) machine=aarch64 ;;
  *) die "there is no clip for $machine" ;;
esac
command -v sha256sum >/dev/null || die "needs sha256sum"
directory=${CLIP_INSTALL_DIR:-$HOME/.local/bin}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
fetch "$base/SHA256SUMS" "$work/SHA256SUMS"
awk -v want="$version" -v tail="-linux-$machine.tar.gz" '
  NF == 2 && length($1) == 64 && $2 ~ /^clip-[0-9A-Za-z._+-]+$/ {
    at = length($2) - length(tail)
    if (at <= 5 || substr($2, at + 1) != tail) next
    version = substr($2, 6, at - 5)
    if (want == "" || version == want) line = $1 "  " $2
  }
  END { if (line != "") print line }' "$work/SHA256SUMS" >"$work/sum"
[ -s "$work/sum" ] || die "$base/SHA256SUMS lists no clip ${version:+$version }for linux-$machine"
archive=$(cut -c 67- "$work/sum")
fetch "$base/$archive" "$work/$archive"
(cd "$work" && sha256sum -c sum >/dev/null 2>&1) || die "$archive is not what SHA256SUMS says: nothing was installed"
tar -xzf "$work/$archive" -C "$work"

mkdir -p "$directory"
# Under another name first: a clip that runs is never half of one and half of another.
new="$directory/.clip.new.$$"
trap 'rm -rf "$work" "$new"' EXIT
cp "$work/${archive%.tar.gz}/clip" "$new"
chmod 755 "$new"
said=$("$new" version) || die "$archive does not run on this machine: nothing was installed"
mv -f "$new" "$directory/clip"
# man looks beside the folders of PATH; where nobody may write, there is no page.
pages="$directory/../share/man/man1"
{ mkdir -p "$pages" && cp "$work/${archive%.tar.gz}/clip.1" "$pages/clip.1"; } 2>/dev/null || :
echo "$said"
echo "installed as $directory/clip"
case :$PATH: in *:"$directory":*) ;; *) echo "$directory is not in PATH" ;; esac
echo "live mounts go on with the program they have: clip upgrade-mounts replaces it; clip doctor checks this machine"
