#!/usr/bin/env bash
# Runs components in containers, by containerd and runc: as images that are a component and nothing
# else, by iommap-oci, and as images with the static binary. Ends with an error if anything is not as
# it should be. Needs root; `cargo xtask container` builds what it takes.
#
# Usage: ci/container.sh PROGRAMS SEARCH.wasm KV.wasm
#   PROGRAMS: where iommap, iommap-server and iommap-oci are, static
. "$(dirname "$0")/engine.sh"
programs=$1 search=$2 kv=$3
[ "$(id -u)" = 0 ] || skip "only root may start containerd"
temporary=$(mktemp -d /tmp/iommap-container.XXXXXX)
engine= loop=
finish() {
    local code=$?
    [ -z "$engine" ] || { kill "$engine" && wait "$engine"; } 2>/dev/null || true
    [ -z "$loop" ] || umount "$loop" || true
    [ "$code" = 0 ] || [ -z "${IOMMAP_VERBOSE:-}" ] || tail -n 50 "$temporary/containerd.log" >&2
    rm -rf "$temporary" || true
}
trap finish EXIT
have runc runc
have containerd containerd ctr

# The engine, with a root of its own.
snapshotter=overlayfs
start_engine() {
    cat >"$temporary/containerd.toml" <<EOF
version = 2
root = "$temporary/root"
state = "$temporary/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$temporary/socket"
EOF
    containerd --config "$temporary/containerd.toml" >"$temporary/containerd.log" 2>&1 &
    engine=$!
    until_true 20 ctr version || die "containerd does not start"
}
ctr() { command ctr --address "$temporary/socket" --namespace iommap "$@"; }
start_engine

mkdir -p "$temporary"/{search,kv,binary,data,out,odd}
cp "$search" "$temporary/search/search.wasm"
cp "$kv" "$temporary/kv/kv.wasm"
cp "$programs/iommap" "$search" "$temporary/binary/"
"$programs/iommap" compile "$search" -o "$temporary/binary/search.cwasm"
# Links in an image are the image's: here to what is on no account to be opened outside.
ln -s /search.wasm "$temporary/search/link.wasm"
import() {
    image "$temporary/$1.tar" "localhost/$1:1" "$temporary/$2" "$3"
    ctr image import --snapshotter "$snapshotter" "$temporary/$1.tar" >/dev/null
}
nobody='"User":"65534:65534"'
import search search "{\"Entrypoint\":[\"/search.wasm\"],$nobody}"
import kv kv '{"Entrypoint":["/kv.wasm"]}'
import binary binary "{\"Entrypoint\":[\"/iommap\"],$nobody}"
du -b "$temporary"/{search,binary}.tar | sed "s|$temporary/|image |"

# container IMAGE ID [CTR OPTION...] -- [ARG...]: runs one, as restricted as engines can.
count=0
container() {
    local image=localhost/$1:1 entry=/$1.wasm id=$2 options=()
    # With arguments ctr forgets an image's entry point.
    [ "$1" != binary ] || entry=/iommap
    shift 2
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    ctr run --rm --snapshotter "$snapshotter" --runc-binary "$programs/iommap-oci" \
        --read-only --seccomp "${options[@]}" "$image" "$id" "$entry" "$@"
}
volume() { echo "--mount=type=bind,src=$1,dst=$2,options=rbind:$3"; }

# expect CODE WORDS COMMAND...: it ends with the code, and says the words.
expect() {
    local code=$1 words=$2 got=0
    shift 2
    "$@" >"$temporary/said" 2>&1 </dev/null || got=$?
    if [ "$got" != "$code" ] || { [ -n "$words" ] && ! grep -qe "$words" "$temporary/said"; }; then
        say "failed: exit code $got and not $code, or not a word of \"$words\": $*"
        cat "$temporary/said" >&2
        exit 1
    fi
    count=$((count + 1))
    echo "ok: exit code $code${words:+: $(grep -m 1 -e "$words" "$temporary/said")}"
}
data=$(volume "$temporary/data" /data ro)
out=$(volume "$temporary/out" /out rw)
printf 'hay\nthe needle\nhay\n' >"$temporary/data/small"
truncate -s 64G "$temporary/data/big"

echo "== grants and exit codes"
expect 0 'the needle' container search c1 "$data" -- needle /data/small
expect 1 '0 matches' container search c2 "$data" -- nothing /data/small
expect 3 'not granted' container search c3 -- needle /data/small
expect 0 '' container kv c4 "$out" -- /out/my.kv put --no-lock colour green
expect 0 green container kv c5 "$out" -- /out/my.kv get colour
expect 1 'read-only\|for reading\|eacces' container kv c6 "$(volume "$temporary/out" /out ro)" -- /out/my.kv put colour red
expect 0 green container kv c7 "$out" -- /out/my.kv get colour
expect 1 'without `::`' container search c9 "$(volume "$temporary/odd" /data::/etc ro)" -- needle /data/small

echo "== limits from annotations"
expect 3 'limit' container search l1 "$data" --annotation dev.iommap.limit.mapped-bytes=4096 -- needle /data/big
expect 0 'the needle' container search l2 "$data" --annotation dev.iommap.limit.mapped-bytes=4096 -- needle /data/small
expect 1 'no annotation' container search l3 "$data" --annotation dev.iommap.limits.mappings=1 -- needle /data/small

echo "== the image with the binary, compiled at its start and ahead"
expect 0 'the needle' container binary b1 "$data" -- run --dir /data::/data::ro /search.wasm needle /data/small
expect 0 'the needle' container binary b2 "$data" -- run --precompiled --dir /data::/data::ro /search.cwasm needle /data/small

echo "== a file cut while it is searched"
truncate -s 6G "$temporary/data/cut"
mkfifo "$temporary/in"
container search cut "$data" -- --step needle /data/cut <"$temporary/in" >"$temporary/said" 2>&1 &
run=$!
exec 7>"$temporary/in"
until_true 60 grep 'Enter goes on' "$temporary/said" || die "the search does not begin: $(cat "$temporary/said")"
truncate -s 1G "$temporary/data/cut"
exec 7>&-
code=0
wait "$run" || code=$?
[ "$code" = 3 ] && grep -q 'cut short' "$temporary/said" || die "exit code $code: $(cat "$temporary/said")"
echo "ok: exit code $code, $(grep 'cut short' "$temporary/said")"

echo "== SIGTERM"
# stop IMAGE [ARG...]: stops a search that computes for minutes, and prints how long that took.
stop() {
    local image=$1 id=stop run begun code=0
    shift
    container "$image" "$id" "$data" -- "$@" >"$temporary/said" 2>&1 </dev/null &
    run=$!
    until_true 60 eval 'ctr task ls | grep "^stop .*RUNNING"' || die "it does not start: $(cat "$temporary/said")"
    sleep 1
    begun=$(now)
    ctr task kill --signal SIGTERM "$id"
    wait "$run" || code=$?
    took=$(($(now) - begun))
    [ "$code" = 143 ] || die "SIGTERM: exit code $code: $(cat "$temporary/said")"
    echo "ok: exit code 143 after $took ms: $image"
}
for image in search binary; do
    fastest=100000
    for _ in 1 2 3; do
        case $image in
        search) stop search nothing /data/big ;;
        binary) stop binary run --precompiled --dir /data::/data::ro /search.cwasm nothing /data/big ;;
        esac
        [ "$took" -ge "$fastest" ] || fastest=$took
    done
    # A machine that is busy with something else may make one of them late.
    [ "$fastest" -lt 1000 ] || die "SIGTERM takes $fastest ms at best"
done

echo "== a second container on the same file"
truncate -s 96M "$temporary/disk"
if mkfs.ext4 -q "$temporary/disk" && mkdir "$temporary/mounted" &&
    mount -o loop "$temporary/disk" "$temporary/mounted" 2>"$temporary/said"; then
    loop=$temporary/mounted
    device=$(stat -c %d "$loop")
    sectors() { sed -n "s/^ *[0-9]* *$((device % 256)) loop[0-9]* [0-9]* [0-9]* \([0-9]*\) .*/\1/p" /proc/diskstats; }
    head -c 64M /dev/urandom >"$loop/file"
    # What was written is in memory until it is mounted anew.
    umount "$loop" && mount -o loop "$temporary/disk" "$loop"
    device=$(stat -c %d "$loop")
    read_by() {
        local before=$(sectors)
        container search "$1" "$(volume "$loop" /data ro)" -- nothing /data/file >/dev/null 2>&1 || [ $? = 1 ]
        echo $(($(sectors) - before))
    }
    first=$(read_by first) second=$(read_by second)
    [ "$first" -ge 131072 ] && [ "$second" = 0 ] || die "sectors read: $first, then $second"
    echo "ok: $first sectors read by the first container, $second by the second"
else
    echo "skipped: what containers read from the device: no loop device can be mounted here ($(cat "$temporary/said"))"
fi

echo "== the time to start, medians of ${ROUNDS:=5} by turns, in ms"
printf 'hay\n' >"$temporary/data/tiny"
begin() {
    local begun=$(now)
    "$@" >/dev/null 2>&1 </dev/null || [ $? = 1 ]
    echo $(($(now) - begun))
}
ahead() { container binary t1 "$data" -- run --precompiled --dir /data::/data::ro /search.cwasm hay /data/tiny; }
compiling() { container binary t2 "$data" -- run --no-cache --dir /data::/data::ro /search.wasm hay /data/tiny; }
component() { container search t3 "$data" -- hay /data/tiny; }
native() { container binary t4 -- --version; }
kinds=(native ahead compiling component)
for _ in $(seq "$ROUNDS"); do
    for kind in "${kinds[@]}"; do begin "$kind" >>"$temporary/time.$kind"; done
done
for kind in "${kinds[@]}"; do
    echo "$kind: $(sort -n "$temporary/time.$kind" | sed -n "$((ROUNDS / 2 + 1))p")"
done
[ -z "$(ctr container ls -q)" ] || die "containers are left: $(ctr container ls -q)"
echo "all $count containers and more were as they should be"
