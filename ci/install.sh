#!/usr/bin/env bash
# Installs the command line as `cargo install --locked iommap-cli` does, from packages of HEAD instead
# of crates.io's, and says what that took: minutes of every core.
#
# Usage: ci/install.sh [ROOT]
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=${1:-$work/root}
ci/publish.sh --pack "$work/packages"

# A registry in a folder: what others have published, and ours.
cargo vendor --quiet --locked --versioned-dirs "$work/registry" >/dev/null
for package in "$work"/packages/*.crate; do
    name=$(basename "$package" .crate)
    tar -xzf "$package" -C "$work/registry"
    sum=$(sha256sum <"$package" | cut -d ' ' -f 1)
    echo "{\"files\":{},\"package\":\"$sum\"}" >"$work/registry/$name/.cargo-checksum.json"
done

TIMEFORMAT='%R s, of every core together %U s'
cd "$work"
time cargo install --locked iommap-cli --root "$root" --target-dir "$work/target" \
    --config 'source.crates-io.replace-with="packages"' \
    --config "source.packages.directory='$work/registry'"
echo "built in $(du -sm target | cut -f 1) MB; iommap itself has $(wc -c <"$root/bin/iommap") bytes"
"$root/bin/iommap" --version
if nm "$root/bin/iommap" 2>/dev/null | grep -q .; then
    echo "ci/install.sh: the program is not stripped" >&2
    exit 1
fi
"$root/bin/iommap" new rust "$work/guest" >/dev/null
if ! grep -q '^iommap-guest = { version = ' guest/Cargo.toml; then
    echo "ci/install.sh: a new guest does not depend on crates.io's iommap-guest" >&2
    exit 1
fi
