#!/usr/bin/env bash
# Finds or makes a standard library for wasm32-wasip2, which guests are built for. Prints what RUSTC
# must be, which is nothing where rustup has the target.
#
# Where rustup may not download, on Debian 12: Debian ships rustc-web with its library's source, and
# wasi-libc, but no standard library for the target. So they are unpacked in the cache, nothing is
# installed, and the library is built once; the linkers are rustup's.
#
# Usage: ci/wasm-std.sh [--find]     (--find makes and downloads nothing)
. "$(dirname "$0")/lib.sh"
target=wasm32-wasip2
sysroot=$(rustc --print sysroot)
# 1: changes when something else is made below. The linkers are those of this sysroot.
dir=$cache/wasm-std/$rustc_release-$(digest 1 "$rustc_version" "$(cd "$sysroot" && pwd -P)")

rustup_has_it() {
    compgen -G "$(rustc --print target-libdir --target $target)/libstd-*.rlib" >/dev/null
}

if rustup_has_it; then exit 0; fi
if [ -e "$dir/stamp" ]; then
    echo "$dir/rustc"
    exit 0
fi
if [ "${1:-}" = --find ]; then
    die "no toolchain that builds for $target: run \`cargo xtask setup\` first"
fi
if command -v rustup >/dev/null && [ "${RUSTUP_AUTO_INSTALL:-1}" != 0 ]; then
    say "asking rustup for $target, for two minutes at most"
    limit=$(command -v timeout >/dev/null && echo timeout 120) || true
    said=$(RUSTUP_MAX_RETRIES=1 $limit rustup target add $target 2>&1 >/dev/null </dev/null) || true
    if rustup_has_it; then exit 0; fi
    said=$(grep -v '^info:' <<<"$said" | head -n 1 | cut -c 1-200) || true
    say "rustup did not get it: ${said:-it gave no reason in time}"
fi
is_debian || die "$rustc_version has no standard library for $target. Run: rustup target add $target"
# Before anything is announced, and before the long steps: what they need.
linkers=$sysroot/lib/rustlib/$rustc_host/bin
for name in rust-lld wasm-component-ld gcc-ld/wasm-ld; do
    [ -e "$linkers/$name" ] || die "$linkers/$name is missing: this needs a rustc from rustup"
done
say "making a standard library for $target from Debian's packages (some minutes of processor time, once)"

packages() { rustc_web && echo wasi-libc; }

fill() {
    local dir=$1 lib=$1/usr/lib name object
    download "$dir/debs" packages
    say "unpacking them"
    unpack "$dir"
    mkdir -p "$lib/rustlib/$rustc_host/bin/gcc-ld"
    for name in rust-lld wasm-component-ld gcc-ld/wasm-ld; do
        ln -s "$linkers/$name" "$lib/rustlib/$rustc_host/bin/$name"
    done
    wrapper "$dir/rustc" '$here/usr/bin/rustc'
    "$dir/rustc" -V >/dev/null || die "Debian's rustc does not run: is rustup's for $rustc_host?"

    mkdir -p "$dir/build/src"
    echo '#![no_std]' >"$dir/build/src/lib.rs"
    cat >"$dir/build/Cargo.toml" <<'EOF'
[package]
name = "sysroot"
version = "0.0.0"
edition = "2021"
[workspace]
[profile.release]
panic = "abort"
EOF
    say "compiling the standard library, which takes the longest"
    # Without bitcode a guest can't be linked with LTO. Its dependencies come from crates.io.
    (cd "$dir/build" && RUSTC=$dir/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target \
        RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$lib/rustlib/src/rust=/rustc/debian" \
        cargo build --quiet --release --target $target \
        -Zbuild-std=std,panic_abort,proc_macro,test) >&2
    lib=$lib/rustlib/$target/lib
    mkdir -p "$lib/self-contained"
    find "$dir/build/target/$target/release/deps" -name 'lib*.rlib' ! -name 'libsysroot*' \
        -exec cp {} "$lib/" \;

    # What programs and libraries start with, and the C library.
    for object in crt1 stubs; do
        (cd "$dir/build" && "$dir/rustc" --edition=2021 --target $target --crate-type=lib -O \
            -Cpanic=abort -Ccodegen-units=1 --emit "obj=$object.o" "$root/ci/wasm-std/$object.rs")
    done
    join() { "$dir/usr/lib/rustlib/$rustc_host/bin/rust-lld" -flavor wasm -r "$@"; }
    local wasi=$dir/usr/lib/wasm32-wasi start=$lib/self-contained
    cp "$wasi/libc.a" "$start/"
    join "$dir/build/crt1.o" "$dir/build/stubs.o" -o "$start/crt1-command.o"
    join "$wasi/crt1-reactor.o" "$dir/build/stubs.o" -o "$start/crt1-reactor.o"

    rm -rf "$dir"/build "$dir"/etc "$dir"/usr/{src,share,include,libexec}
}

make_once "$dir" fill
echo "$dir/rustc"
