#!/usr/bin/env bash
# Packages every crate that is published, and builds each from its package alone.
set -euo pipefail
cd "$(dirname "$0")/.."
crates=()
for crate in iommap-guard iommap iommap-guest iommap-cli; do
    crates+=(--package "$crate")
done
# To cargo a package is known by its name and version, and ours change while both stay: what an
# earlier run unpacked and compiled of them would be taken for today's. Cargo keeps packages that
# come from no registry under a name that begins with a dash.
target=${CARGO_TARGET_DIR:-target}
rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/iommap* \
    "$target"/debug/.fingerprint/iommap-*
# What was not committed yet may be packaged too: CI has nothing of that kind.
cargo package --locked --allow-dirty --quiet "${crates[@]}"
for package in "$target"/package/*.crate; do
    echo "${package##*/}: $(tar -tzf "$package" | wc -l) files, $(wc -c <"$package") bytes"
done
