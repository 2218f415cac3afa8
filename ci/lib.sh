# Sourced by the scripts beside it: where things are, and how Debian's packages are had.
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# What outlives the clone.
cache=${IOMMAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iommap}
# rustup chooses by the clone's rust-toolchain.toml.
cd "$root"

say() { echo "$*" >&2; }
die() { say "error: $*"; exit 1; }

# make_once DIR COMMAND...: has a function fill a directory, given as its last argument, which is
# then renamed: what is found is whole. Whoever comes second waits.
make_once() {
    local dir=$1 making=$1.making
    shift
    if [ -e "$dir/stamp" ]; then return; fi
    mkdir -p "$(dirname "$dir")" || die "set IOMMAP_CACHE to a directory that may keep 500 MB"
    exec 9>"$dir.lock"
    if command -v flock >/dev/null; then flock 9; fi
    if [ -e "$dir/stamp" ]; then return; fi
    say "setting up $dir"
    rm -rf "$making" "$dir"
    mkdir "$making"
    "$@" "$making"
    touch "$making/stamp"
    mv "$making" "$dir"
    exec 9>&-
}

# The active rustc, as the names of what is made for it have it.
rustc_version=$(rustc -V) || die "rustc does not run: see https://rustup.rs"
rustc_release=$(rustc -vV | sed -n 's/^release: //p')
rustc_host=$(rustc -vV | sed -n 's/^host: //p')
multiarch=$(uname -m)-linux-gnu

# A name for what is made from certain words.
digest() { printf '%s\n' "$@" | cksum | cut -d ' ' -f 1; }

# Not what is only made from it, such as Ubuntu: that has other packages.
is_debian() { grep -qsx 'ID=debian' /etc/os-release && command -v apt-get >/dev/null; }

known() { apt-cache policy "$1" 2>/dev/null | grep 'Candidate: [^(]' >/dev/null; }

# The packages that others depend on, one a line.
closure() {
    apt-cache depends --recurse --important --no-conflicts --no-breaks --no-replaces "$@" |
        grep -v '^[ <]' | sort -u
}

# The libraries among them that this machine lacks.
missing_libraries() {
    closure "$@" | grep -E '^(lib|zlib)' | comm -23 - <(
        dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p' | sort -u)
}

# download DIR FUNCTION: downloads the packages that a function lists. Lists that are missing or
# out of date are the usual reason for a failure.
download() {
    mkdir -p "$1"
    if ! download_now "$@" >/dev/null 2>&1; then
        say "apt-get update"
        # Strictly, or a server that does not answer is only a warning.
        apt-get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update >/dev/null ||
            die "apt-get update failed: are you root, and is there a network?"
        download_now "$@" >/dev/null ||
            die "Debian's packages can't be had: is this Debian 12 with its security updates?"
    fi
}

# Without apt's own user: it may not go into a cache of root's, and warns of that like of an error.
download_now() {
    local packages
    packages=$($2) && (cd "$1" && apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root download $packages)
}

# unpack DIR: all packages in DIR/debs; of the compiler's source only the standard library, of a
# hundred emulators one.
unpack() {
    local deb only
    for deb in "$1"/debs/*.deb; do
        case ${deb##*/} in
        rust-web-src_*) only='./usr/src/rustc-*/library ./usr/lib/rustlib/src/*' ;;
        qemu-user-static_*) only=./usr/bin/qemu-aarch64-static ;;
        *) dpkg-deb -x "$deb" "$1"; continue ;;
        esac
        (set -f; dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$1" --wildcards $only)
    done
    rm -r "$1/debs"
}

# rustc-web is a current rustc with the source of its standard library.
rustc_web() {
    local libstd llvm
    libstd=$(apt-cache depends libstd-rust-web-dev | sed -n 's/ *Depends: \(libstd-rust-web-.*\)/\1/p')
    llvm=libllvm$(apt-cache depends rust-web-llvm | sed -n 's/ *Depends: llvm-//p')
    known rustc-web && known "$libstd" && known "$llvm" || return 1
    { echo rustc-web libstd-rust-web-dev rust-web-src "$libstd" "$llvm" | tr ' ' '\n'
      missing_libraries "$llvm"; } | sort -u
}

# wrapper FILE PROGRAM [ARG...]: a script that runs an unpacked program with the libraries that lie
# beside it; $here is their directory.
wrapper() {
    local file=$1
    shift
    cat >"$file" <<EOF
#!/bin/sh
here=\${0%/*}
LD_LIBRARY_PATH=\$here/usr/lib/$multiarch\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH} exec $* "\$@"
EOF
    chmod +x "$file"
}
