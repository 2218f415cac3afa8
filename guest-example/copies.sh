#!/usr/bin/env bash
# Copies each sample to an empty place and runs its README's own commands there: those in its `sh`
# blocks. `iommap` has to be on the PATH; RUSTC, if it is set, has a library for wasm32-wasip2.
# IOMMAP_CLONE is this clone in them.
# With an `iommap` that has `new`, its templates are tried as well.
#
# Usage: guest-example/copies.sh [NAME...]
set -eu
# What is built is where the READMEs say.
unset CARGO_TARGET_DIR
here=$(cd "$(dirname "$0")" && pwd)
export IOMMAP_CLONE=$here/..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() {
    echo "--- $1"
    sed -n '/^```sh$/,/^```$/{/^```/d;p}' "$1/README.md" >"$1/commands.sh"
    # The target is there, or else RUSTC is set; and what a CI runs once is installed once.
    sed -i '/^rustup target add/d' "$1/commands.sh"
    (cd "$1" && bash -eu commands.sh)
}

names=$*
[ -n "$names" ] || names="quickstart search kv last bell geoip maxminddb fst safetensors tantivy search-c sqlite tinycdb qdbm logs records"
for name in $names; do
    case $name in new-*) continue ;; esac
    # What is in the repository, and not what was built beside it.
    mkdir "$work/$name"
    git -C "$here/$name" archive HEAD . | tar -x -C "$work/$name"
    for manifest in $(grep -rlE '(iommap-guest|memmap2) = ' "$work/$name" --include=Cargo.toml); do
        sed -i -E "s#path = \"[./]*/(guest|memmap2)\"#path = \"$here/../\1\"#" "$manifest"
    done
    run "$work/$name"
done

for template in rust c js python plugin; do
    case " $names " in *" new-$template "*) ;; *) [ $# -eq 0 ] || continue ;; esac
    iommap new --help >/dev/null 2>&1 || { echo "--- this iommap has no \`new\`"; break; }
    iommap new "$template" "$work/new-$template"
    run "$work/new-$template"
    # As cargo builds what nobody has said anything of: each module may be an object of its own then,
    # and a linker leaves out those that nothing refers to.
    if [ "$template" = rust ]; then
        (cd "$work/new-$template" && CARGO_INCREMENTAL=1 cargo run -- /data/Cargo.toml)
    fi
done
