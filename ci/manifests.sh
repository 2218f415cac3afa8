#!/usr/bin/env bash
# Holds the manifests to Kubernetes's own schemas, strictly: what a version doesn't know is an error.
# Needs Python with pip, and its registry.
. "$(dirname "$0")/lib.sh"
release=1.37.0
# With image volumes: from the release in which they first were.
versions=(1.31 1.35 1.37)
fill_validator() {
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --target "$1/lib" \
        "kubernetes-validate==$release" >&2
}
dir=$cache/containers/manifests-$(digest "$release" "$(python3 -V)")
make_once "$dir" fill_validator
validate() { PYTHONPATH=$dir/lib python3 -m kubernetes_validate --strict --no-warn --kubernetes-version "$@"; }
# It has to see what is wrong, or it says nothing.
wrong=$(mktemp)
trap 'rm -f "$wrong"' EXIT
sed 's/readOnlyRootFilesystem/readOnlyRootFileSystem/' kubernetes/search-job.yaml >"$wrong"
! validate 1.37 "$wrong" >/dev/null 2>&1 || die "a field that there is not was taken for one"
for version in "${versions[@]}"; do
    validate "$version" kubernetes/*.yaml >"$wrong" 2>&1 || { cat "$wrong" >&2; die "not for Kubernetes $version"; }
done
echo "$(grep -c ' passed for ' "$wrong") objects are as Kubernetes ${versions[*]} has them"
