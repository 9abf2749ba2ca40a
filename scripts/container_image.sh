#!/bin/sh
# Makes an OCI image that holds clip, the C library's files that it needs, and nothing else: no shell, no packages.
#
#   scripts/container_image.sh BINARY LAYOUT[:TAG]
#
# Needs umoci and ldd. `clip mount` in a container needs /dev/fuse and CAP_SYS_ADMIN; `--daemon` needs a shell, which is
# not there: mount in the foreground, as containers do. The libraries are those of the machine that runs this.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 BINARY LAYOUT[:TAG]" >&2; exit 2; }
binary=$1 layout=${2%%:*}
case $2 in *:*) tag=${2#*:} ;; *) tag=latest ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/bundle/rootfs
[ -d "$layout" ] || umoci init --layout "$layout"
umoci new --image "$layout:$tag"
umoci unpack --rootless --image "$layout:$tag" "$work/bundle"
mkdir -p "$root/usr/bin" "$root/etc" "$root/tmp" "$root/root"
chmod 1777 "$root/tmp"
cp "$binary" "$root/usr/bin/clip"
chmod 755 "$root/usr/bin/clip"
# `libm.so.6 => /lib/…/libm.so.6 (0x…)`, and the loader, which has only a path.
ldd "$binary" | sed -n -E 's,^[^/]*(/[^ ]+) .*,\1,p' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
printf 'root:x:0:0:root:/root:/\n' >"$root/etc/passwd"
# The same files make the same image.
find "$root" -exec touch -h -d @0 {} +
umoci repack --image "$layout:$tag" "$work/bundle"
umoci config --image "$layout:$tag" --config.entrypoint /usr/bin/clip --config.env HOME=/root \
  --created 1970-01-01T00:00:00Z --no-history
umoci gc --layout "$layout"
