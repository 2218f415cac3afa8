#!/usr/bin/env bash
# Holds the public interface of every crate that is published to docs/public-api/CRATE.txt, so that
# whoever changes it sees so, and readers of the change too. `ci/public-api.sh --write` writes them.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
# rustdoc's JSON is for nightly, or for who says so. Only rustdoc is told, or all would be compiled
# anew. The features are those of every other build.
export RUSTDOC=$PWD/ci/public-api/rustdoc
RUSTDOCFLAGS="-Zunstable-options --output-format=json" \
    cargo doc --quiet --workspace --all-features --no-deps --lib --locked
unset RUSTDOC
list() {
    CARGO_TARGET_DIR=$target/tools cargo run --quiet --locked \
        --manifest-path ci/public-api/Cargo.toml -- "$target/doc/$1.json"
}
good=0
for crate in iommap-guard iommap iommap-guest; do
    known=docs/public-api/$crate.txt
    if [ "${1:-}" = --write ]; then
        mkdir -p docs/public-api
        list "${crate//-/_}" >"$known"
    elif list "${crate//-/_}" | diff -u "$known" -; then
        echo "$crate: $(wc -l <"$known") items, as $known says"
    else
        echo "the public interface of $crate has changed: if it should, ci/public-api.sh --write" >&2
        good=1
    fi
done
exit $good
