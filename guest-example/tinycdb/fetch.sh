#!/usr/bin/env bash
# Downloads tinycdb's source as Debian has it, and unpacks it to DIR/tinycdb: by apt-get, from where
# this machine gets its packages, with apt's signatures checked. It needs no root, and nothing of the
# system's changes.
#
# Usage: fetch.sh DIR
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
die() { echo "tinycdb: $*" >&2; exit 1; }
command -v apt-get >/dev/null || die "its source comes by apt-get, and this machine has none"
mkdir -p "$1"
dir=$(cd "$1" && pwd)
work=$dir/apt
rm -rf "$work" "$dir/tinycdb"
mkdir -p "$work"/{parts,state/lists/partial,cache/archives/partial,source}

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
(cd "$work/source" && apt source --download-only tinycdb)
mkdir "$work/tinycdb"
for archive in "$work"/source/*.tar.*; do
    case $archive in *.debian.tar.* | *.asc) continue ;; esac
    tar -xf "$archive" -C "$work/tinycdb" --strip-components 1
done
[ -e "$work/tinycdb/cdb.c" ] || die "there is no cdb.c in what apt-get has brought"
mv "$work/tinycdb" "$dir/tinycdb"
rm -rf "$work"
