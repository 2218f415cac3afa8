#!/usr/bin/env bash
# Two machines, each with its own network, disk and Docker, as one Swarm: a job runs where its data is,
# each machine takes a new version of the data by itself, and when one is killed the other takes over.
# Ends with an error if anything is not as it should be, and prints how long things took. Needs root;
# `cargo xtask cluster` calls it.
#
# Usage: ci/cluster.sh SEARCH.wasm LOOKUP.wasm DATABASES
#   DATABASES: the directory of the npm package iptoasn-country
. "$(dirname "$0")/engine.sh"
search=$1 lookup=$2 database=$3
# The new one knows addresses of IP version 6.
old=iptoasn-country-ipv4.mmdb new=iptoasn-country.mmdb address=2001:4860:4860::8888
needs_root Docker
temporary=$(mktemp -d /tmp/iommap-cluster.XXXXXX)
name=iommap$$
declare -A engine
finish() {
    local code=$? machine
    for machine in "${!engine[@]}"; do kill_machine "$machine"; done
    for machine in 1 2; do
        ip link delete "$name.$machine" 2>/dev/null || true
        ip netns delete "$name-$machine" 2>/dev/null || true
    done
    ip link delete "$name" 2>/dev/null || true
    clean || [ "$code" != 0 ] || exit 1
}
trap finish EXIT
have curl curl
have iproute2 ip
have runc runc
have containerd containerd containerd-shim-runc-v2
have docker.io dockerd
programs=$("$root/ci/static.sh" --quick)

# on N COMMAND...: on that machine. Not by `ip netns exec`, which hides the cgroups.
on() {
    local machine=$1
    shift
    nsenter --net="/run/netns/$name-$machine" "$@"
}
docker_of() {
    local machine=$1
    shift
    DOCKER_HOST=unix://$temporary/$machine/socket "$docker" "$@"
}
# The program of the same release as the engine: a newer one may not speak with it.
docker=$(dirname "$(command -v dockerd)")/../bin/docker
[ -x "$docker" ] || docker=docker

start_machine() {
    local machine=$1
    mkdir -p "$temporary/$machine/data" "$temporary/geo"
    ip netns add "$name-$machine"
    ip link add "$name.$machine" type veth peer name eth0 netns "$name-$machine"
    ip link set "$name.$machine" master "$name" up
    on "$machine" ip link set lo up
    on "$machine" ip address add "10.213.0.$machine/24" dev eth0
    on "$machine" ip link set eth0 up
    on "$machine" ip route add default dev eth0
    # Processes, mounts and a name of its own: all of it goes at once when it is killed. Before each task Docker
    # asks a registry for its image: that nobody answers it, it hears at once from a name server of its own.
    nsenter --net="/run/netns/$name-$machine" unshare --pid --fork --kill-child --mount --mount-proc --uts sh -c '
        hostname "$0" && mount --bind "$1" "$2" && mount --bind "$3" /etc/resolv.conf && shift 3 && exec "$@"' \
        "machine-$machine" "$temporary/$machine/data" "$temporary/geo" "$temporary/resolv.conf" dockerd --data-root "$temporary/$machine/root" \
        --exec-root "$temporary/$machine/run" --pidfile "$temporary/$machine/pid" \
        --host "unix://$temporary/$machine/socket" --bridge none --iptables=false --cgroup-parent "/$name" \
        --add-runtime "iommap=$programs/iommap-oci" --default-runtime iommap \
        >"$temporary/$machine/log" 2>&1 &
    engine[$machine]=$!
    until_true 30 docker_of "$machine" version ||
        die "Docker does not start: $(tail -n 5 "$temporary/$machine/log")"
}

# As a machine dies: with no time for good-byes.
kill_machine() {
    kill -KILL "${engine[$1]}" && wait "${engine[$1]}" 2>/dev/null || true
    unset "engine[$1]"
}

measured=()
# took WHAT BEGUN: a line of the table.
took() { measured+=("$(printf '| %s | %s s |' "$1" "$(awk "BEGIN { print ($(now) - $2) / 1000 }")")"); }
# answers MACHINE PORT PATH
answers() { on "$1" curl -fsS -m 2 "http://10.213.0.$1:$2/$3"; }

echo 'nameserver 127.0.0.1' >"$temporary/resolv.conf"
begun=$(now)
ip link add "$name" type bridge
ip link set "$name" up
start_machine 1
start_machine 2
docker_of 1 swarm init --advertise-addr 10.213.0.1 --default-addr-pool 10.214.0.0/16 >/dev/null
docker_of 2 swarm join --token "$(docker_of 1 swarm join-token -q worker)" --advertise-addr 10.213.0.2 \
    10.213.0.1:2377 >/dev/null
swarm() { docker_of 1 "$@"; }
took "two machines are a Swarm" "$begun"

mkdir -p "$temporary"/{search,lookup}
cp "$search" "$temporary/search/search.wasm"
cp "$programs/iommap-server" "$temporary/lookup/"
cp "$lookup" "$temporary/lookup/lookup.wasm"
image "$temporary/search.tar" search:1 "$temporary/search" '{"Entrypoint":["/search.wasm"],"User":"65534:65534"}'
image "$temporary/lookup.tar" lookup:1 "$temporary/lookup" "{\"Entrypoint\":[\"/iommap-server\"],\"User\":\"65534:65534\"}"
for machine in 1 2; do
    for tar in search lookup; do docker_of "$machine" load -q -i "$temporary/$tar.tar" >/dev/null; done
done

# Where a service runs, and how it goes.
state_is() { swarm service ps --format '{{.Node}} {{.CurrentState}}' "$1" | grep "$2"; }
# create NAME PORT OPTION...: a service on the machines' own network, with the data's directory.
serve() {
    local service=$1 port=$2
    shift 2
    swarm service create -q --detach --name "$service" --constraint node.labels.geo==true \
        --network host --read-only --mount "type=bind,src=$temporary/geo,dst=/data,readonly" "$@" lookup:1 \
        --listen "0.0.0.0:$port" --dir /data::/data --keep-mapped /data/country.mmdb /lookup.wasm >/dev/null 2>&1
}

echo "== a job runs where its data is"
printf 'hay\nthe needle\n' >"$temporary/2/data/words"
swarm node update --label-add geo=true machine-2 >/dev/null
begun=$(now)
swarm service create -q --detach --name search --mode replicated-job --constraint node.labels.geo==true \
    --read-only --mount "type=bind,src=$temporary/geo,dst=/data,readonly" search:1 needle /data/words >/dev/null 2>&1
until_true 60 state_is search '^machine-2 Complete' || die "the job: $(swarm service ps --no-trunc search)"
took "a job, done on the one machine that has its data" "$begun"
swarm service logs --raw search 2>&1 | grep 'the needle' || die "the job: $(swarm service logs search)"

echo "== a service comes to each machine that gets the data"
cp "$database/$old" "$temporary/2/data/country.mmdb"
begun=$(now)
serve lookup 8080 --mode global
until_true 60 answers 2 8080 readyz || die "the service: $(swarm service ps --no-trunc lookup)"
took "a service is ready on it" "$begun"
! answers 1 8080 healthz 2>/dev/null || die "it runs where no data is"
begun=$(now)
cp "$database/$old" "$temporary/1/data/country.mmdb"
swarm node update --label-add geo=true machine-1 >/dev/null
until_true 60 answers 1 8080 readyz || die "the service: $(swarm service ps --no-trunc lookup)"
took "the other machine gets data and label, and serves" "$begun"

echo "== a new version of the data, by rename on each machine"
# What a machine answers, but for how long that took.
version() { answers "$1" 8080 "lookup?ip=$address" 2>/dev/null | sed 's/,"micros":{[^}]*}//'; }
is_new() { [ "$(version "$1")" != "${before[$1]}" ]; }
declare -A before
for machine in 1 2; do before[$machine]=$(version "$machine") || true; done
for machine in 2 1; do
    begun=$(now)
    cp "$database/$new" "$temporary/$machine/data/.new"
    mv "$temporary/$machine/data/.new" "$temporary/$machine/data/country.mmdb"
    until_true 20 is_new "$machine" || die "machine $machine still answers ${before[$machine]}"
    took "machine $machine answers from its new file" "$begun"
    [ "$machine" = 1 ] || ! is_new 1 || die "machine 1 answers from a file that it was not given"
done
echo "before: ${before[1]:-nothing}; then: $(version 1)"
[ "$(version 1)" = "$(version 2)" ] || die "they differ: $(version 1), $(version 2)"

echo "== a machine is killed, and the other takes its work over"
swarm node update --availability drain machine-1 >/dev/null
serve one 8081 --replicas 1
until_true 60 answers 2 8081 readyz || die "the service: $(swarm service ps --no-trunc one)"
swarm node update --availability active machine-1 >/dev/null
begun=$(now)
kill_machine 2
until_true 90 answers 1 8081 readyz || die "nobody took over: $(swarm service ps --no-trunc one)"
took "machine 2 is killed, and its only replica serves from machine 1" "$begun"
answers 1 8081 "lookup?ip=$address" >/dev/null || die "it does not look up"
printf '\n| load %s | |\n|---|---:|\n' "$(cut -d ' ' -f 1 /proc/loadavg)"
printf '%s\n' "${measured[@]}"
