# Sourced by the scripts that run containers: of what they started nothing stays, however they end. All
# of it is known by two names that nobody else has: $temporary, a directory, and $name, a cgroup.

# started: the processes that are ours, one a line: by their cgroup, or by their command.
started() {
    local process
    cat $(cgroups | sed 's,$,/cgroup.procs,') /dev/null 2>/dev/null || true
    for process in /proc/[0-9]*; do
        if tr '\0' ' ' <"$process/cmdline" | grep -qF "$temporary/"; then echo "${process#/proc/}"; fi
    done 2>/dev/null
}

# cgroups: the inner ones first.
cgroups() { find /sys/fs/cgroup -depth -type d \( -path "*/$name" -o -path "*/$name/*" \) 2>/dev/null || true; }

mounted() { awk -v below="$temporary/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac; }

none_started() { [ -z "$(started)" ]; }

# clean: ends, unmounts and deletes it all, and says what that does not help against.
clean() {
    local process place left
    for process in $(started); do kill -KILL "$process" 2>/dev/null || true; done
    until_true 10 none_started || true
    # Shims listen outside of the directory.
    find "$temporary" -xdev -path '*/io.containerd.runtime.v2.task/*/address' -exec sed 's,^unix://,,' {} + \
        2>/dev/null | while read -r place || [ -n "$place" ]; do rm -f "$place"; done
    mounted | while read -r place; do umount "$place" || umount --lazy "$place" || true; done
    rm -rf --one-file-system "$temporary" || true
    for place in $(cgroups); do rmdir "$place" 2>/dev/null || true; done
    left=$(started; mounted; cgroups)
    [ ! -e "$temporary" ] || left+=" $temporary"
    [ -z "$left" ] || { say "error: it is left behind: $left"; return 1; }
}
