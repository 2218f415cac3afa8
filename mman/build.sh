#!/usr/bin/env bash
# Makes a C compiler whose programs have mmap(2) in components: DIR/bin/cc, by zig's clang and
# wasi-libc, with DIR/include and DIR/lib/libmman.a. DIR/bin/component makes components of the modules
# that it links. Both can be called from anywhere; DIR stays where it is.
#
# Usage: mman/build.sh DIR     (ZIG: zig 0.17.1; unless it is set, pip installs it in DIR)
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
sample=$here/../guest-example/search-c
mkdir -p "$1"/{bin,include,lib,work}
dir=$(cd "$1" && pwd)

zig=${ZIG:-}
if [ -z "$zig" ]; then
    zig=$dir/zig/ziglang/zig
    [ -x "$zig" ] || python3 -m pip install --quiet --disable-pip-version-check --no-deps \
        --require-hashes --only-binary :all: --target "$dir/zig" -r "$sample/requirements.txt"
fi
command -v "$zig" >/dev/null || { echo "there is no $zig" >&2; exit 1; }

componentize=${COMPONENTIZE_C:-}
if [ -z "$componentize" ]; then
    cargo build --quiet --locked --manifest-path "$sample/componentize/Cargo.toml" \
        --target-dir "$dir/work/tool"
    componentize=$dir/work/tool/debug/componentize-c
fi
cp "$componentize" "$dir/bin/componentize-c"
"$componentize" --wit "$here/../wit" --wit "$here/../wit/wasi" --wit "$here/wit" --world mman \
    --work "$dir/work" --bindings

cp -R "$here/include/." "$dir/include/"
objects=()
for source in "$here"/src/*.c; do
    object=$dir/work/$(basename "$source" .c).o
    "$zig" cc -target wasm32-wasi -std=gnu17 -O2 -Wall -Wextra -Werror -I "$dir/include" \
        -c "$source" -o "$object"
    objects+=("$object")
done
rm -f "$dir/lib/libmman.a"
"$zig" ar rcs "$dir/lib/libmman.a" "${objects[@]}" "$dir/work/bindings/mman_component_type.o"

cat >"$dir/bin/cc" <<END
#!/bin/sh
# A C compiler for components, with mmap(2): zig's.
for arg in "\$@"; do
    case \$arg in -c | -E | -S | -M | -MM) exec "$zig" cc -target wasm32-wasi -I "$dir/include" "\$@" ;; esac
done
# All of it: zig's C library has the functions, too, and would come first.
exec "$zig" cc -target wasm32-wasi -I "$dir/include" "\$@" \
    -Wl,--whole-archive "$dir/lib/libmman.a" -Wl,--no-whole-archive
END
cat >"$dir/bin/component" <<END
#!/bin/sh
# component MODULE COMPONENT.wasm: makes a component of what bin/cc has linked.
exec "$dir/bin/componentize-c" --module "\$1" --output "\$2"
END
chmod +x "$dir/bin/cc" "$dir/bin/component"
