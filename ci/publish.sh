#!/usr/bin/env bash
# Publishes the crates at HEAD, each after what it depends on. With `--pack DIR` their packages are
# written to DIR, and nothing is published.
#
# Cargo takes a profile from the root of a workspace only, and complains of one anywhere else. What
# `cargo install` builds from a package has its profile from that package, and so the command line's
# gets the workspace's, in a clone made for this.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
crates=()
for crate in iommap-guard iommap iommap-guest iommap-cli; do
    crates+=(--package "$crate")
done
case ${1-} in
--pack)
    mkdir -p "${2:?a folder for the packages}"
    out=$(cd "$2" && pwd)
    what=(package --no-verify --quiet --target-dir "$work/target")
    ;;
"") what=(publish) ;;
*) echo "usage: ci/publish.sh [--pack DIR]" >&2 && exit 2 ;;
esac
git clone --quiet . "$work/clone"
cd "$work/clone"
{ echo && sed -n '/^\[profile\.release\]/,/^$/p' Cargo.toml; } >>cli/Cargo.toml
# Nothing but that is dirty.
cargo "${what[@]}" --locked --allow-dirty "${crates[@]}" 2> >(grep -v -e '^warning: profiles for' -e '^package:' -e '^workspace:' >&2)
[ -z "${out-}" ] || cp "$work"/target/package/*.crate "$out"
