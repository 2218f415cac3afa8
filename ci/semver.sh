#!/usr/bin/env bash
# Asks what a change of the public items means for those who build on the crates, and whether the
# version says so: `cargo semver-checks`, against a revision, which is the last release's tag unless
# another is named. Says `skipped` where the tool is missing, or where nothing was released yet.
#
# Usage: ci/semver.sh [REVISION]
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo semver-checks --version >/dev/null 2>&1; then
    echo "skipped: cargo-semver-checks is not installed (cargo install --locked cargo-semver-checks)"
    exit 0
fi
revision=${1:-$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)}
if [ -z "$revision" ]; then
    echo "skipped: no release has a tag here, so there is nothing to compare with"
    exit 0
fi
# Those that docs/public-api/ lists.
cargo semver-checks --baseline-rev "$revision" \
    --package iommap-guard --package iommap --package iommap-guest
