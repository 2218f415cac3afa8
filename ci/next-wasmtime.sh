#!/usr/bin/env bash
# Checks that the sources compile with the wasmtime after the one that the manifests ask for, where
# there is a compiler that it takes; says `skipped` otherwise. The clone stays as it is: a copy of it
# is changed.
set -euo pipefail
cd "$(dirname "$0")/.."
version=50.0.1
needs=1.97

# The active compiler, or any other that rustup has.
toolchain=
for name in "${RUSTUP_TOOLCHAIN:-}" $(rustup toolchain list 2>/dev/null | cut -d ' ' -f 1); do
    release=$(RUSTUP_TOOLCHAIN=$name rustc -V | cut -d ' ' -f 2)
    if [ "$(printf '%s\n' "$needs" "$release" | sort -V | head -n 1)" = "$needs" ]; then
        toolchain=$name
        break
    fi
done
if [ -z "$toolchain" ]; then
    echo "skipped: wasmtime $version needs Rust $needs, and here is $(rustc -V)"
    exit 0
fi

target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)/next-wasmtime
copy=$target/clone
rm -rf "$copy" && mkdir -p "$copy"
git ls-files -z | xargs -0 cp -P --parents -t "$copy"
cd "$copy"
# wasmtime and its crates have one version.
grep -rl --include=Cargo.toml '"~48' . | xargs sed -i -E "s/\"~48\.[0-9.]+\"/\"$version\"/"
export RUSTUP_TOOLCHAIN=$toolchain CARGO_TARGET_DIR=$target CARGO_INCREMENTAL=0
cargo check --quiet --package iommap --package iommap-cli --all-features
echo "compiles with wasmtime $version, by $(rustc -V)"
