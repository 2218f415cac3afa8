#!/usr/bin/env bash
# Builds iommap, iommap-server and iommap-oci without libraries of the system's, as images and the
# OCI runtime need them, and prints the directory in which they are. With glibc: it has been measured
# and tested, and the dynamic linker is all that it does without.
#
# Usage: ci/static.sh [--quick] [PROGRAM...]
#   --quick: as tests build them. Nothing but the workspace's own crates is compiled again.
#        ci/static.sh --test
#   Runs the guard's own tests in programs of that kind.
. "$(dirname "$0")/lib.sh"
target=${CARGO_TARGET_DIR:-$root/target}
# With a target that is named, build scripts and macros are not what the flag is for.
static() {
    RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" cargo "$@" --locked --target "$rustc_host"
}
if [ "${1:-}" = --test ]; then
    static test --package iommap-guard --tests
    exit
fi
quick=
[ "${1:-}" != --quick ] || { quick=1; shift; }
[ $# -gt 0 ] || set -- iommap iommap-server iommap-oci
programs=("${@/#/--bin=}")
if [ -n "$quick" ]; then
    # What is linked decides, and not how libraries were compiled.
    export RUSTC_WORKSPACE_WRAPPER=$root/ci/static-rustc.sh
    cargo build --locked --workspace --all-features "${programs[@]}" >&2
    built=$target/debug
else
    static build --release -p iommap-cli -p iommap-server -p iommap-oci "${programs[@]}" >&2
    built=$target/$rustc_host/release
fi
mkdir -p "$target/static"
for program; do
    # It may run: a new file, not other bytes in the old one.
    cp "$built/$program" "$target/static/$program.new"
    chmod 755 "$target/static/$program.new"
    mv "$target/static/$program.new" "$target/static/$program"
done
echo "$target/static"
