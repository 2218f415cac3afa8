#!/usr/bin/env bash
# Prints the environment in which cargo compiles for another system, as lines NAME=VALUE. The
# standard library is built on the way: give cargo -Zbuild-std=std,panic_abort.
#
# Debian 12 ships rustc-web, a current rustc with its library's source, C compilers for aarch64 and
# for x86 with 32 bits, and qemu-user; PyPI has zig, which compiles C for macOS. All of it is
# unpacked in the cache, nothing is installed: some 150 MB to download, once. Exits with 77 where
# there is no Debian.
#
# Usage: ci/cross.sh TRIPLE
. "$(dirname "$0")/lib.sh"
triple=$1
# 1: changes when something else is made below.
name=$rustc_release-$(digest 1 "$rustc_version")
variable() { echo "CARGO_TARGET_$(echo "$triple" | tr a-z- A-Z_)_$1"; }

is_debian || { say "the compilers for other systems are Debian's, and this is no Debian"; exit 77; }

# The packages of tools for another processor, installed here or not, and the libraries that they
# need and this machine lacks.
tools() {
    closure "$@" | grep -E -e '-(aarch64|i686)-linux-gnu$|-(arm64|i386)-cross$|^qemu-user-static$'
    missing_libraries "$@"
}

rust() { rustc_web; }
fill_rust() {
    download "$1/debs" rust
    unpack "$1"
    wrapper "$1/rustc" '$here/usr/bin/rustc'
    "$1/rustc" -V >/dev/null
}

aarch64() { tools gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static; }
fill_aarch64() {
    download "$1/debs" aarch64
    unpack "$1"
    wrapper "$1/gcc" '$here/usr/bin/aarch64-linux-gnu-gcc --sysroot=$here'
    "$1/gcc" --version >/dev/null
}

# What it links finds the loader and the C library where they were unpacked, so that this kernel
# runs it as it is.
i686() { tools gcc-i686-linux-gnu libc6-dev-i386-cross; }
fill_i686() {
    local lib='$here/usr/i686-linux-gnu/lib'
    download "$1/debs" i686
    unpack "$1"
    wrapper "$1/gcc" '$here/usr/bin/i686-linux-gnu-gcc --sysroot=$here' \
        "-Wl,--dynamic-linker=$lib/ld-linux.so.2 -Wl,-rpath=$lib"
    "$1/gcc" --version >/dev/null
}

fill_zig() {
    python3 -m pip install --quiet --no-deps --target "$1/lib" ziglang==0.17.1 >&2
    # The target is named in zig's way, not in clang's.
    cat >"$1/cc" <<'EOF'
#!/bin/sh
for arg; do
    shift
    case $arg in
    --target=* | -mmacosx-version-min=* | -isysroot* | -arch | arm64 | x86_64) ;;
    *) set -- "$@" "$arg" ;;
    esac
done
exec "${0%/*}/lib/ziglang/zig" cc -target "$IOMMAP_ZIG_TARGET" "$@"
EOF
    chmod +x "$1/cc"
}

make_once "$cache/platforms/rust-$name" fill_rust
echo "RUSTC=$cache/platforms/rust-$name/rustc"
echo RUSTC_BOOTSTRAP=1
case $triple in
aarch64-unknown-linux-gnu)
    dir=$cache/platforms/aarch64-$name
    make_once "$dir" fill_aarch64
    qemu="$dir/usr/bin/qemu-aarch64-static -L $dir/usr/aarch64-linux-gnu"
    echo "$(variable LINKER)=$dir/gcc"
    echo "$(variable RUNNER)=$qemu"
    echo "CC_aarch64_unknown_linux_gnu=$dir/gcc"
    # Tests that start themselves anew need it too: the kernel can't run their program.
    echo "IOMMAP_TEST_RUNNER=$qemu"
    # Sequences of the model take long under an emulator.
    echo IOMMAP_CASES=20
    ;;
i686-unknown-linux-gnu)
    dir=$cache/platforms/i686-$name
    make_once "$dir" fill_i686
    echo "$(variable LINKER)=$dir/gcc"
    echo "CC_i686_unknown_linux_gnu=$dir/gcc"
    if ! "$dir/usr/i686-linux-gnu/lib/ld-linux.so.2" --version >/dev/null 2>&1; then
        echo IOMMAP_CANNOT_RUN=1
    fi
    ;;
*-apple-darwin)
    dir=$cache/platforms/zig-0.17.1
    make_once "$dir" fill_zig
    echo "IOMMAP_ZIG_TARGET=${triple%%-*}-macos"
    echo SDKROOT=/
    echo "ZIG_GLOBAL_CACHE_DIR=$cache/platforms/zig-cache"
    echo "CC_$(echo "$triple" | tr - _)=$dir/cc"
    ;;
esac
