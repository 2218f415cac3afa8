#!/usr/bin/env bash
# Packages every crate that is published, and builds each from its package alone.
set -euo pipefail
cd "$(dirname "$0")/.."
crates=()
for crate in iommap-guard iommap iommap-guest iommap-cli; do
    crates+=(--package "$crate")
done
# What was not committed yet may be packaged too: CI has nothing of that kind.
cargo package --locked --allow-dirty --quiet "${crates[@]}"
for package in "${CARGO_TARGET_DIR:-target}"/package/*.crate; do
    echo "${package##*/}: $(tar -tzf "$package" | wc -l) files, $(wc -c <"$package") bytes"
done
