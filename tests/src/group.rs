//! A control group with little memory, of either version.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

/// The group, without processes yet. It goes when it is dropped, if it is empty.
pub(crate) struct Group(PathBuf);

impl Group {
    /// A group below this process's own, whose processes have so many bytes of memory together.
    pub(crate) fn new(memory: u64) -> io::Result<Group> {
        let groups = fs::read_to_string("/proc/self/cgroup")?;
        let of = |line: &str| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
            match controllers {
                "" => Some(("/sys/fs/cgroup", "memory.max", path.to_owned())),
                "memory" => {
                    Some(("/sys/fs/cgroup/memory", "memory.limit_in_bytes", path.to_owned()))
                }
                _ => None,
            }
        };
        let mut error = io::Error::from(io::ErrorKind::NotFound);
        for (root, limit, path) in groups.lines().filter_map(of) {
            // In a container its own group may be the root of what is seen.
            for below in [&*path, ""] {
                let name = format!("iommap-test-{}", std::process::id());
                let group = PathBuf::from(root).join(below).join(name);
                let made = fs::create_dir(&group).map(|()| Group(group)).and_then(|group| {
                    // Swapped out is gone as well, where there is swap.
                    _ = fs::write(group.0.join("memory.swap.max"), "0");
                    fs::write(group.0.join(limit), memory.to_string()).map(|()| group)
                });
                match made {
                    Ok(group) => return Ok(group),
                    Err(why) => error = why,
                }
            }
        }
        Err(error)
    }

    /// The file that takes processes in.
    pub(crate) fn procs(&self) -> CString {
        let path = self.0.join("cgroup.procs");
        CString::new(path.as_os_str().as_bytes()).expect("a path without NUL")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its last process may not be all gone yet.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}
