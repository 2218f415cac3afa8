# Sourced by the scripts that run containers: an engine of Debian's for the length of a test, and
# images made by hand. Nothing is installed, nothing is pulled, and nothing of it is left.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root/ci/clean.sh"

skip() {
    echo "skipped: containers: $*"
    [ "${IOMMAP_CONTAINERS:-}" != required ] || exit 1
    exit 0
}

# needs_root ENGINE: not the root of a container that may do nothing.
needs_root() {
    [ "$(id -u)" = 0 ] || skip "only root may start $1"
    unshare --mount true 2>/dev/null || skip "this root may not mount anything, which $1 has to"
}

# have PACKAGE PROGRAM...: the programs are in PATH, from the system or unpacked in the cache.
have() {
    local package=$1 program missing=
    shift
    for program; do command -v "$program" >/dev/null || missing=1; done
    [ -n "$missing" ] || return 0
    is_debian && known "$package" || skip "there is no $package here, and this is no Debian to have it from"
    engine_packages() { echo "$package"; missing_libraries "$package"; }
    local dir
    dir=$cache/containers/$package-$(digest 1 "$(apt-cache policy "$package" | sed -n 's/ *Candidate: //p')")
    make_once "$dir" fill_engine
    PATH=$dir/usr/sbin:$dir/usr/bin:$dir/sbin:$dir/bin:$PATH
    LD_LIBRARY_PATH=$dir/usr/lib/$multiarch:$dir/lib/$multiarch${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export PATH LD_LIBRARY_PATH
    for program; do command -v "$program" >/dev/null || die "$package has no $program"; done
}

fill_engine() {
    download "$1/debs" engine_packages
    unpack "$1"
}

# until_true SECONDS COMMAND...
until_true() {
    local tries=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.05
    done
}

# image FILE NAME DIR CONFIG: an archive that engines import: one layer, with what is in DIR.
image() {
    local file=$1 name=$2 dir=$3 config=$4 arch work
    case $(uname -m) in aarch64) arch=arm64 ;; *) arch=amd64 ;; esac
    work=$(mktemp -d "$temporary/image.XXXXXX")
    tar -C "$dir" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$work/layer.tar" .
    printf '{"architecture":"%s","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$arch" "$config" "$(sha256sum "$work/layer.tar" | cut -d ' ' -f 1)" >"$work/config.json"
    printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$name" >"$work/manifest.json"
    tar -C "$work" -cf "$file" manifest.json config.json layer.tar
    rm -r "$work"
}

now() { date +%s%3N; }
