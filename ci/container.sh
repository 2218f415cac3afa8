#!/usr/bin/env bash
# Runs components in containers, by containerd and runc: as images that are a component and nothing
# else, by iommap-oci, and as images with the static binary. Ends with an error if anything is not as
# it should be. Needs root; `cargo xtask container` calls it.
#
# Usage: ci/container.sh [--quick] SEARCH.wasm KV.wasm
#   --quick: without what the Dockerfiles make and the time to start
. "$(dirname "$0")/engine.sh"
quick=
[ "${1:-}" != --quick ] || { quick=1; shift; }
search=$1 kv=$2
needs_root containerd
temporary=$(mktemp -d /tmp/iommap-container.XXXXXX)
name=iommap-$$
finish() {
    local code=$?
    [ "$code" = 0 ] || [ -z "${IOMMAP_VERBOSE:-}" ] || tail -n 50 "$temporary/containerd.log" >&2 || true
    clean || [ "$code" != 0 ] || exit 1
}
trap finish EXIT
have runc runc
have containerd containerd ctr
programs=$("$root/ci/static.sh" --quick iommap iommap-oci $([ -n "$quick" ] || echo iommap-server))
runc=$(command -v runc)
# Where other users may look for them. As runc, it is what engines call that name no runtime.
chmod 711 "$temporary"
mkdir "$temporary/runtime"
cp "$programs"/iommap{,-oci} "$temporary/runtime/"
ln -s iommap-oci "$temporary/runtime/runc"
oci=$temporary/runtime/iommap-oci

# The engine, with a root of its own.
start_engine() {
    cat >"$temporary/containerd.toml" <<EOF
version = 2
root = "$temporary/root"
state = "$temporary/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$temporary/socket"
EOF
    PATH=$temporary/runtime:$PATH containerd --config "$temporary/containerd.toml" >"$temporary/containerd.log" 2>&1 &
    disown
    until_true 20 ctr version || die "containerd does not start"
}
ctr() { command ctr --address "$temporary/socket" --namespace "$name" "$@"; }
start_engine
# In a container on a file system that is an overlay already, it can be no part of another.
mkdir "$temporary"/{lower,upper,work,merged}
snapshotter=native
if mount -t overlay -o "lowerdir=$temporary/lower,upperdir=$temporary/upper,workdir=$temporary/work" \
    none "$temporary/merged" 2>/dev/null; then
    snapshotter=overlayfs
    umount "$temporary/merged"
fi

mkdir -p "$temporary"/{search,kv,binary,data,out,odd}
cp "$search" "$temporary/search/search.wasm"
cp "$kv" "$temporary/kv/kv.wasm"
cp "$programs/iommap" "$search" "$temporary/binary/"
"$programs/iommap" compile "$search" -o "$temporary/binary/search.cwasm"
# Links in an image are the image's. Outside there is nothing at the first path, and much at the second.
ln -s /search.wasm "$temporary/search/link.wasm"
ln -s /dev "$temporary/search/devices"
import() {
    image "$temporary/$1.tar" "localhost/$1:1" "$temporary/$2" "$3"
    ctr image import --snapshotter "$snapshotter" "$temporary/$1.tar" >/dev/null
}
nobody='"User":"65534:65534"'
import search search "{\"Entrypoint\":[\"/search.wasm\"],$nobody}"
import kv kv '{"Entrypoint":["/kv.wasm"]}'
import binary binary "{\"Entrypoint\":[\"/iommap\"],$nobody}"
du -b "$temporary"/{search,binary}.tar | sed "s|$temporary/|image |"

# run RUNTIME IMAGE ID [ARG...]: as restricted as engines can.
run() {
    local runtime=$1
    shift
    ctr run --rm --snapshotter "$snapshotter" --runc-binary "$runtime" --runc-root "$temporary/runc" \
        --fifo-dir "$temporary/fifo" --read-only --seccomp "$@"
}
"$programs/iommap" --version
# Where runc runs no program, it is not for us to be tested.
run "$runc" localhost/binary:1 probe /iommap --version >"$temporary/said" 2>&1 </dev/null ||
    skip "runc runs none here: $(tail -n 1 "$temporary/said")"

# container IMAGE ID [CTR OPTION...] -- [ARG...]: runs one by iommap-oci.
count=0
container() {
    local image=localhost/$1:1 entry=/$1.wasm id=$2 options=()
    # With arguments ctr forgets an image's entry point.
    [ "$1" != binary ] || entry=/iommap
    shift 2
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    run "$oci" "${options[@]}" "$image" "$id" "$entry" "$@"
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

echo "== links in the image"
expect 0 'the needle' run "$oci" "$data" localhost/search:1 i1 /link.wasm needle /data/small
expect 1 'no /dev of its own' container search i2 "$(volume "$temporary/out" /devices rw)" -- needle /data/small
[ ! -e "$temporary/out/iommap" ] || die "a volume was written to"

echo "== a user namespace"
if unshare --user true 2>/dev/null; then
    # For such a container ctr forgets --runc-binary.
    expect 0 'the needle' container search u1 "$data" --uidmap 0:100000:65536 --gidmap 0:100000:65536 -- \
        needle /data/small
else
    echo "skipped: user namespaces: there are none here"
fi

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
# stop IMAGE [ARG...]: stops a search that computes for minutes, and prints how long that took: until
# the process was gone, and until the engine had put its container away.
stop() {
    local image=$1 id=stop run process begun gone code=0
    shift
    container "$image" "$id" "$data" -- "$@" >"$temporary/said" 2>&1 </dev/null &
    run=$!
    until_true 60 eval 'ctr task ls | grep "^stop .*RUNNING"' || die "it does not start: $(cat "$temporary/said")"
    process=$(ctr task ls | sed -n 's/^stop  *\([0-9]*\) .*/\1/p')
    # So long that it computes.
    sleep 4
    begun=$(now)
    ctr task kill --signal SIGTERM "$id"
    while [ -e "/proc/$process/fd/0" ]; do sleep 0.005; done
    gone=$(($(now) - begun))
    wait "$run" || code=$?
    took=$(($(now) - begun))
    [ "$code" = 143 ] || die "SIGTERM: exit code $code: $(cat "$temporary/said")"
    echo "ok: exit code 143 after $gone ms, and the container is gone after $took ms: $image"
}
for image in search binary; do
    # A machine that is busy with something else may make one of them late.
    for try in 1 2 3; do
        case $image in
        search) stop search nothing /data/big ;;
        binary) stop binary run --precompiled --dir /data::/data::ro /search.cwasm nothing /data/big ;;
        esac
        [ "$took" -ge 1000 ] || break
        [ "$try" != 3 ] || die "SIGTERM takes more than a second, three times"
    done
done

echo "== a second container on the same file"
truncate -s 96M "$temporary/disk"
if mkfs.ext4 -q "$temporary/disk" && mkdir "$temporary/mounted" &&
    mount -o loop "$temporary/disk" "$temporary/mounted" 2>"$temporary/said"; then
    loop=$temporary/mounted
    device=$(stat -c %d "$loop")
    sectors() { sed -n "s/^ *[0-9]* *$((device % 256)) loop[0-9]* [0-9]* [0-9]* \([0-9]*\) .*/\1/p" /proc/diskstats; }
    head -c 64M /dev/urandom >"$loop/file"
    # What was written is in memory until it is mounted anew; and what may be written to, the file system
    # itself reads meanwhile.
    umount "$loop" && mount -o loop,ro "$temporary/disk" "$loop"
    device=$(stat -c %d "$loop")
    read_by() {
        local before=$(sectors)
        container search "$1" "$(volume "$loop" /data ro)" -- nothing /data/file >/dev/null 2>&1 || [ $? = 1 ]
        echo $(($(sectors) - before))
    }
    first=$(read_by first) second=$(read_by second)
    # None, unless memory is taken away meanwhile.
    [ "$first" -ge 131072 ] && [ $((second * 4)) -lt "$first" ] || die "sectors read: $first, then $second"
    echo "ok: $first sectors read by the first container, $second by the second"
else
    echo "skipped: what containers read from the device: no loop device can be mounted here ($(cat "$temporary/said"))"
fi

[ -z "$(ctr container ls -q)" ] || die "containers are left: $(ctr container ls -q)"
if [ -n "$quick" ]; then
    echo "all $count containers and more were as they should be"
    exit 0
fi

echo "== images by the Dockerfiles, and by those of docs/containers.md"
have buildah buildah
export CONTAINERS_STORAGE_CONF=$temporary/storage.conf
printf '[storage]\ndriver = "vfs"\nrunroot = "%s"\ngraphroot = "%s"\n' "$temporary/b.run" "$temporary/b.root" \
    >"$CONTAINERS_STORAGE_CONF"
echo '{ "default": [{ "type": "insecureAcceptAnything" }] }' >"$temporary/policy.json"
# build NAME DOCKERFILE DIR: with nothing but what is here.
build() {
    buildah bud -q --isolation chroot --pull-never --format docker --signature-policy "$temporary/policy.json" \
        -t "$1" -f "$2" "$3" >"$temporary/said" 2>&1 || die "$2: $(cat "$temporary/said")"
    buildah push -q --signature-policy "$temporary/policy.json" "$1" \
        "docker-archive:$temporary/$1.tar:localhost/$1:1"
    ctr image import --snapshotter "$snapshotter" "$temporary/$1.tar" >/dev/null
}
# written N: the Nth Dockerfile that is written down there.
written() {
    awk -v wanted="$1" '/^```/ { inside = /dockerfile/ && ++n == wanted; next } inside' docs/containers.md \
        >"$temporary/Dockerfile.$1"
    echo "$temporary/Dockerfile.$1"
}
build iommap container/iommap.Dockerfile "$programs"
build iommap-server container/server.Dockerfile "$programs"
build built "$(written 1)" "$temporary/search"
build alone "$(written 3)" "$temporary/search"
expect 0 'compile  ' run "$runc" localhost/iommap:1 d1
expect 0 'keep-mapped' run "$runc" localhost/iommap-server:1 d2
expect 3 'which pattern' run "$runc" "$data" localhost/built:1 d3
expect 3 'which pattern' run "$oci" localhost/alone:1 d4

echo "== podman"
have conmon conmon
have podman podman
# It calls the runtime with no variables at all, when it puts a container away.
printf '#!/bin/sh\nIOMMAP_OCI_RUNTIME=%s exec %s "$@"\n' "$runc" "$oci" >"$temporary/runtime/for-podman"
chmod 755 "$temporary/runtime/for-podman"
cat >"$temporary/containers.conf" <<EOF
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
conmon_path = ["$(command -v conmon)"]
runtime = "iommap"
[engine.runtimes]
iommap = ["$temporary/runtime/for-podman"]
EOF
# It would raise limits, which is not for every root.
podman_run() {
    CONTAINERS_CONF=$temporary/containers.conf podman --tmpdir "$temporary/podman" "$@"
}
podman_search() {
    podman_run run --cgroup-parent "/$name" --network none --read-only --cap-drop all \
        --security-opt no-new-privileges --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 "$@"
}
expect 0 'the needle' podman_search --rm -v "$temporary/data:/data:ro" alone needle /data/small
expect 3 'not granted' podman_search --rm alone needle /data/small
# Where it has a file of its own in every other container.
expect 0 'the needle' podman_search --rm -v "$temporary/data:/run:ro" alone needle /run/small
expect 0 '' podman_search -d --name stop -v "$temporary/data:/data:ro" alone nothing /data/big
sleep 4
begun=$(now)
podman_run stop -t 10 stop >/dev/null
took=$(($(now) - begun))
[ "$(podman_run wait stop)" = 143 ] || die "podman: exit code $(podman_run wait stop)"
echo "ok: exit code 143, and the container is gone after $took ms"
podman_run rm stop >/dev/null

echo "== the time to start, medians of ${ROUNDS:=5} by turns, in ms; load $(cut -d ' ' -f 1 /proc/loadavg)"
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
median() { sort -n | sed -n "$((ROUNDS / 2 + 1))p"; }
for kind in "${kinds[@]}"; do
    ratio=$(paste "$temporary/time.$kind" "$temporary/time.native" | awk '{ printf "%.2f\n", $1 / $2 }' | median)
    echo "$kind: $(median <"$temporary/time.$kind"), and $ratio times as long as native, by pairs"
done
[ -z "$(ctr container ls -q)" ] || die "containers are left: $(ctr container ls -q)"
echo "all $count containers and more were as they should be"
