#!/usr/bin/env bash
# Checks that the sources compile with the next LTS line of wasmtime, where there is a compiler that
# it takes; says `skipped` otherwise. The manifests stay as they are: a copy is changed.
set -euo pipefail
cd "$(dirname "$0")/.."
version=50.0.1
needs=1.97

# The active compiler or any other that rustup has.
new_enough() { [ "$(printf '%s\n' "$needs" "$1" | sort -V | head -n 1)" = "$needs" ]; }
toolchain=
for name in "" $(rustup toolchain list 2>/dev/null | cut -d ' ' -f 1); do
    release=$(RUSTUP_TOOLCHAIN=${name:-${RUSTUP_TOOLCHAIN:-}} rustc -vV | sed -n 's/^release: //p')
    if new_enough "$release"; then toolchain=${name:-active}; break; fi
done
if [ -z "$toolchain" ]; then
    echo "skipped: wasmtime $version needs Rust $needs, and here is only $(rustc -V)"
    exit 0
fi
