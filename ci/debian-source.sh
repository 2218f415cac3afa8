#!/usr/bin/env bash
# Downloads what Debian has as a package's source, before changes of its own, and unpacks it to
# DIR/PACKAGE: by apt-get, from where this machine gets its packages, with apt's signatures checked. It
# needs no root, and nothing of the system's changes.
#
# Usage: debian-source.sh PACKAGE DIR
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
package=$1
die() { echo "$package: $*" >&2; exit 1; }
command -v apt-get >/dev/null || die "its source comes by apt-get, and this machine has none"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
work=$dir/apt
rm -rf "$work" "${dir:?}/$package"
mkdir -p "$work"/{parts,state/lists/partial,cache/archives/partial,source,unpacked}

# Where packages come from, their sources come from too.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$list" ] || continue
    sed -n 's/^deb /deb-src /p' "$list" >"$work/parts/$(basename "$list" .list).list"
done
for list in /etc/apt/sources.list.d/*.sources; do
    [ -e "$list" ] || continue
    sed 's/^Types:.*/Types: deb-src/' "$list" >"$work/parts/$(basename "$list")"
done

apt() {
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts" \
        -o Dir::State="$work/state" -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Retries=3 "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "apt-get $1 failed: is there a network?"
    }
}
apt update
(cd "$work/source" && apt source --download-only --tar-only "$package")
for archive in "$work"/source/*.tar.*; do
    case $archive in *.debian.tar.* | *.asc) continue ;; esac
    tar -xf "$archive" -C "$work/unpacked" --strip-components 1
done
[ -n "$(ls -A "$work/unpacked")" ] || die "there is nothing in what apt-get has brought"
mv "$work/unpacked" "$dir/$package"
rm -rf "$work"
