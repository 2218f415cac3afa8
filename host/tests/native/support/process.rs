//! What this process has, and what may be changed about it, on Linux.

use super::user::succeeded;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The file descriptors of this process that are open on a file, under whatever name.
pub(crate) fn descriptors(path: &Path) -> Vec<u32> {
    let wanted = fs::metadata(path).ok().map(|stat| (stat.dev(), stat.ino()));
    let entries = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap());
    entries
        // Those that others close meanwhile have no target any more.
        .filter(|entry| {
            let found = fs::metadata(entry.path()).ok().map(|stat| (stat.dev(), stat.ino()));
            (wanted.is_some() && found == wanted)
                || fs::read_link(entry.path()).is_ok_and(|target| target == path)
        })
        .map(|entry| entry.file_name().to_str().unwrap().parse().unwrap())
        .collect()
}

/// How many ranges of this process's address space map a file. The kernel shows them by the name
/// that it was opened by, which a file that is made has not got yet.
pub(crate) fn mapped_ranges(path: &Path) -> usize {
    let number = fs::metadata(path).ok().map(|stat| {
        let device = stat.dev();
        format!(" {:02x}:{:02x} {} ", libc::major(device), libc::minor(device), stat.ino())
    });
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let of_the_file = |line: &&str| {
        line.ends_with(path.to_str().unwrap())
            || number.as_ref().is_some_and(|number| line.contains(number))
    };
    maps.lines().filter(of_the_file).count()
}

/// A line of `/proc/self/status` in bytes: `VmLck`, `VmSize`.
pub(crate) fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    kibibytes(status.lines(), name)
}

/// A line of `/proc/self/smaps` in bytes, for the longest range that maps a path: `Rss`, `Locked`.
pub(crate) fn smaps(path: &Path, name: &str) -> u64 {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut lines = smaps.lines();
    let mut longest = (0, 0);
    while lines.by_ref().any(|line| line.ends_with(path.to_str().unwrap())) {
        let found = (kibibytes(lines.clone(), "Size"), kibibytes(lines.clone(), name));
        longest = longest.max(found);
    }
    longest.1
}

/// Which of the ranges that map a path have this flag in `/proc/self/smaps`: `rr`, `sr`.
pub(crate) fn hinted(path: &Path, flag: &str) -> Vec<bool> {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut ranges = Vec::new();
    let mut lines = smaps.lines();
    while lines.by_ref().any(|line| line.ends_with(path.to_str().unwrap())) {
        let flags = lines.by_ref().find_map(|line| line.strip_prefix("VmFlags:")).unwrap();
        ranges.push(flags.split_whitespace().any(|word| word == flag));
    }
    ranges
}

fn kibibytes<'a>(mut lines: impl Iterator<Item = &'a str>, name: &str) -> u64 {
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    value.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// Makes the system call `openat2` fail as on a kernel that does not know it, or in a sandbox
/// that forbids it, for the rest of this thread's life. In a child only.
pub(crate) fn without_openat2(errno: i32) {
    iommap_child::forbid(libc::SYS_openat2, None, errno);
}

/// Sets one of the process's limits while something is done. In a child only.
pub(crate) fn with_rlimit<R>(
    resource: libc::__rlimit_resource_t,
    limit: u64,
    work: impl FnOnce() -> R,
) -> R {
    // Of 64 bits, in programs of 32 bits too.
    let mut before = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `before` is a valid rlimit to write to.
    succeeded(unsafe { libc::getrlimit64(resource, &mut before) }).unwrap();
    let lowered = libc::rlimit64 { rlim_cur: limit.min(before.rlim_max), ..before };
    // SAFETY: `lowered` is a valid rlimit.
    succeeded(unsafe { libc::setrlimit64(resource, &lowered) }).unwrap();
    let result = work();
    // SAFETY: `before` is a valid rlimit.
    succeeded(unsafe { libc::setrlimit64(resource, &before) }).unwrap();
    result
}

/// A thread of this process that may be waiting in the kernel.
pub(crate) struct Waiting(libc::pid_t);

impl Waiting {
    /// The thread that calls this.
    pub(crate) fn this_thread() -> Waiting {
        // SAFETY: gettid has no preconditions.
        Waiting(unsafe { libc::gettid() })
    }

    /// Is it asleep in this system call?
    pub(crate) fn is_in(&self, call: libc::c_long) -> bool {
        let words = fs::read_to_string(format!("/proc/self/task/{}/syscall", self.0)).unwrap();
        words.split(' ').next().and_then(|number| number.parse().ok()) == Some(call)
    }
}
