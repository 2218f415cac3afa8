//! What the machine, or the container that this process runs in, has to give.

use std::fs;

/// How many ranges of address space the kernel gives a process (`vm.max_map_count`).
pub(super) fn ranges() -> Option<u64> {
    number("/proc/sys/vm/max_map_count")
}

/// The memory that this process may use, in bytes: the machine's, or its container's where that
/// is less (`memory.max` of a control group, or `memory.limit_in_bytes` of an older one).
pub(super) fn memory() -> Option<u64> {
    [machine_memory(), group_memory()].into_iter().flatten().min()
}

fn machine_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(total.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10)
}

/// The least limit on the way from this process's control group to the root. Inside a container
/// the root is the container's own group.
fn group_memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let ancestors = std::path::Path::new(path).ancestors();
        ancestors.filter_map(|at| number(&format!("{root}{}/{file}", at.display()))).min()
    });
    limits.min()
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
