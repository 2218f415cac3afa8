#!/usr/bin/env bash
# Downloads SQLite's speed test, speedtest1.c, to DIR: it is in Debian's source package, which apt-get
# gets from where this machine gets its packages, and checks. It needs no root, and nothing of the
# system's changes.
#
# Usage: fetch.sh DIR
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
die() { echo "speedtest1.c: $*" >&2; exit 1; }
command -v apt-get >/dev/null || die "it comes by apt-get, and this machine has none"
mkdir -p "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{parts,state/lists/partial,cache/archives/partial,source}

# Where packages come from, their sources come from too.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -e "$list" ] || sed -n 's/^deb /deb-src /p' "$list" >"$work/parts/$(basename "$list" .list).list"
done
for list in /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" >"$work/parts/$(basename "$list")"
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
(cd "$work/source" && apt source --download-only sqlite3)
for archive in "$work"/source/*.orig.tar.*; do
    case $archive in *.asc) continue ;; esac
    tar -xf "$archive" -C "$1" --strip-components 2 --wildcards '*/test/speedtest1.c'
done
[ -e "$1/speedtest1.c" ] || die "it is not in what apt-get has brought"
