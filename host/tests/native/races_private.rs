//! Private mappings: what POSIX leaves open and this kernel does, and what their pages may take.

use crate::support::*;
use iommap::{FsPerms, Limits, Mapping};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn private_pages_go_when_the_file_is_emptied_and_written_again() {
    let world = World::read_only();
    let path = world.file("f", &vec![b'a'; 4 * page() as usize]);
    let mapping = world.map("f", &PRIVATE);
    mapping.pwrite(2 * page(), b"MINE").unwrap();
    // As editors save.
    fs::write(path, vec![b'b'; 4 * page() as usize]).unwrap();
    assert_eq!(bytes(&mapping, 2 * page(), 4), b"bbbb");
    // It may be written again, and lasts for as long as nobody cuts the file.
    mapping.pwrite(2 * page(), b"MINE").unwrap();
    fs::File::options().write(true).open(world.path("f")).unwrap().sync_all().unwrap();
    assert_eq!(bytes(&mapping, 2 * page(), 5), b"MINEb");
}

#[test]
fn private_pages_that_were_never_written_follow_the_file() {
    let world = World::new();
    world.file("f", &vec![b'a'; 3 * page() as usize]);
    let (mapping, writer) = (world.map("f", &PRIVATE), world.map("f", &WRITE));
    mapping.pwrite(page(), b"MINE").unwrap();
    writer.pwrite(0, &vec![b'b'; 3 * page() as usize]).unwrap();
    assert_eq!(bytes(&mapping, 0, 1), b"b");
    assert_eq!(bytes(&mapping, 2 * page(), 1), b"b");
    // All of a page that was written is the mapping's own.
    assert_eq!(bytes(&mapping, page(), 5), b"MINEa");
    assert_eq!(bytes(&mapping, 2 * page() - 1, 1), b"a");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn a_private_mapping_of_a_file_larger_than_memory_opens() {
    let memory = fs::read_to_string("/proc/meminfo").unwrap();
    let kibibytes =
        memory.lines().filter(|line| line.starts_with("MemTotal") || line.starts_with("SwapTotal"));
    let kibibytes =
        kibibytes.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap());
    let size = 2 * 1024 * kibibytes.sum::<u64>();
    let world = World::limited(limits(|l| l.mapped_bytes = 2 * size));
    world.sparse("f", size);
    let mapping = world.map("f", &PRIVATE);
    mapping.pwrite(size - 4, b"MINE").unwrap();
    assert_eq!(bytes(&mapping, size - 5, 5), b"\0MINE");
}

/// A cgroup with little memory, for this process. In a child only.
struct SmallMemory {
    group: PathBuf,
    root: PathBuf,
}

impl SmallMemory {
    /// Of whichever version the machine has; `None` where it can't be made.
    fn enter(bytes: u64) -> Option<SmallMemory> {
        const PREFIX: &str = "iommap-test-";
        let name = format!("{PREFIX}{}", std::process::id());
        for (root, limit) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let root = Path::new(root);
            let group = root.join(&name);
            // Those of processes that the kernel ended are empty.
            for entry in fs::read_dir(root).into_iter().flatten().flatten() {
                if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
                    let _ = fs::remove_dir(entry.path());
                }
            }
            if !root.join("cgroup.procs").exists() || fs::create_dir(&group).is_err() {
                continue;
            }
            let small = SmallMemory { group, root: root.to_owned() };
            let entered = fs::write(small.group.join(limit), bytes.to_string())
                .and_then(|()| fs::write(small.group.join("cgroup.procs"), "0"));
            if entered.is_ok() {
                return Some(small);
            }
        }
        None
    }
}

impl Drop for SmallMemory {
    fn drop(&mut self) {
        // Nothing is lost if an empty group stays.
        let _ = fs::write(self.root.join("cgroup.procs"), "0");
        let _ = fs::remove_dir(&self.group);
    }
}

#[test]
fn what_guests_write_privately_by_default_does_not_end_a_small_container() {
    in_child(|| {
        let world = World::with(Limits::default(), FsPerms::ReadOnly);
        for name in 0..8 {
            world.sparse(&format!("f{name}"), 512 << 20);
        }
        let Some(_small) = SmallMemory::enter(192 << 20) else {
            println!("skipped: no cgroup with little memory can be made here");
            return;
        };
        let mappings: Vec<Mapping> =
            (0..8).map(|name| world.map(&format!("f{name}"), &PRIVATE)).collect();
        // To its limit, one page after another; without one the kernel ends the process.
        let data = pattern(1 << 20);
        let mut refused = 0;
        for at in 0..512 {
            for mapping in &mappings {
                match mapping.pwrite(at << 20, &data) {
                    Ok(()) => {}
                    Err(error) => {
                        assert_eq!(error, LimitExceeded);
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused > 0);
        // What was written is still there, and is written to again at no cost.
        mappings[0].pwrite(0, &data).unwrap();
        assert_same!(bytes(&mappings[0], 0, 1 << 20), data);
        drop(mappings);
        // It comes back with the mappings.
        world.map("f0", &PRIVATE).pwrite(0, &data).unwrap();
    });
}
