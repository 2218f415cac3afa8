//! Private mappings: what POSIX leaves open and this kernel does, and what their pages may take.

use crate::support::*;
use iommap::{Error, FsPerms, Limits, Mapping, SyncMode};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

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

/// What every kind of `sync` says of a mapping: the same.
#[track_caller]
fn synced(mapping: &Mapping) -> Result<(), Error> {
    let end = mapping.len().unwrap();
    let said = mapping.sync(SyncMode::Sync);
    for mode in [SyncMode::Async, SyncMode::Sync] {
        assert_eq!(mapping.sync(mode), said, "{mode:?}");
        assert_eq!(mapping.sync_range(0, 1, mode), said, "{mode:?}");
        assert_eq!(mapping.sync_range(end, 0, mode), said, "{mode:?}");
    }
    said
}

#[test]
fn a_sync_tells_whether_private_pages_may_be_lost() {
    const LOST: Result<(), ErrorKind> = Err(Sigbus);
    let world = World::read_only();
    // Three pages and a part of one, of which the second was written to.
    let length = 3 * page() + 5;
    for (cut_to, told) in [
        (length, Ok(())),
        (length - 1, Ok(())),
        (3 * page() + 1, Ok(())),
        // The last page went. Which pages did is not known afterwards.
        (3 * page(), LOST),
        (page() + 1, LOST),
        (page(), LOST),
        (1, LOST),
        (0, LOST),
    ] {
        for grows_back in [false, true] {
            world.file("f", &vec![b'a'; length as usize]);
            let (mapping, unwritten) = (world.map("f", &PRIVATE), world.map("f", &PRIVATE));
            mapping.pwrite(page(), b"MINE").unwrap();
            assert_eq!(synced(&mapping), Ok(()));
            world.set_length("f", cut_to);
            if grows_back {
                world.set_length("f", length);
            }
            let told = told.map_err(Error::from);
            let case = format!("cut to {cut_to}, grows back: {grows_back}");
            assert_eq!(synced(&mapping), told, "{case}");
            let kept =
                mapping.pread(page(), &mut [0; 4]).is_ok() && bytes(&mapping, page(), 4) == b"MINE";
            assert_eq!(kept, cut_to > page(), "{case}");
            assert!(kept || told.is_err(), "{case}");
            // What was written to no page can't be lost.
            assert_eq!(synced(&unwritten), Ok(()), "{case}");
            if grows_back {
                // It is said for as long as the mapping lives, and of no other.
                mapping.pwrite(0, &vec![b'b'; length as usize]).unwrap();
                assert_eq!(synced(&mapping), told, "{case}");
                let anew = world.map("f", &PRIVATE);
                anew.pwrite(page(), b"MINE").unwrap();
                assert_eq!(synced(&anew), Ok(()), "{case}");
            }
        }
    }
}

#[test]
fn a_sync_says_nothing_of_private_pages_that_are_there() {
    let world = World::new();
    for length in [1, page() - 1, page(), page() + 1, 64 * page()] {
        let path = world.file("f", &vec![b'a'; length as usize]);
        let mapping = world.map("f", &PRIVATE);
        mapping.pwrite(length - 1, b"M").unwrap();
        // Others write all of it anew, make it longer, take the blocks out of it and its name away.
        fs::File::options().write(true).open(&path).unwrap().set_len(3 * length).unwrap();
        world.map("f", &WRITE).pwrite(0, &vec![b'b'; length as usize]).unwrap();
        let punched = rustix::fs::fallocate(
            fs::File::options().write(true).open(&path).unwrap(),
            rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE,
            0,
            3 * length,
        );
        assert!(matches!(punched, Ok(()) | Err(rustix::io::Errno::OPNOTSUPP)));
        fs::remove_file(&path).unwrap();
        assert_eq!(synced(&mapping), Ok(()), "{length}");
        assert_eq!(bytes(&mapping, length - 1, 1), b"M", "{length}");
    }
    // Nothing can be written to what is empty.
    world.file("f", b"");
    assert_eq!(world.map("f", &PRIVATE).sync(SyncMode::Sync), Ok(()));
    // One that grows or empties the file itself does not take that for a cut.
    for options in [PRIVATE.size(5 * page()), PRIVATE.truncate(true).size(2 * page())] {
        world.file("f", &vec![b'a'; 3 * page() as usize]);
        let mapping = world.map("f", &options);
        mapping.pwrite(0, b"MINE").unwrap();
        assert_eq!(synced(&mapping), Ok(()), "{options:?}");
    }
}

#[test]
fn private_bytes_that_are_lost_in_a_race_are_told_of() {
    let world = World::new();
    let length = 8 * page();
    let path = world.file("f", &vec![b'a'; length as usize]);
    let over = AtomicBool::new(false);
    let mut lost = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            let file = fs::File::options().write(true).open(path).unwrap();
            for cut in (0..8).map(|pages| pages * page()).cycle() {
                file.set_len(cut).unwrap();
                file.set_len(length).unwrap();
                if over.load(Relaxed) {
                    return;
                }
                thread::yield_now();
            }
        });
        for round in 0..20_000 {
            let Ok(mapping) = world.open("f", &PRIVATE) else { continue };
            let last = mapping.len().unwrap() / page() * page();
            let at = (round % 8 * page()).min(last.saturating_sub(page()));
            if mapping.pwrite(at, b"MINE").is_err() {
                continue;
            }
            for _ in 0..2000 {
                let mut found = [0; 4];
                let read = mapping.pread(at, &mut found);
                if read.is_ok() && found != *b"MINE" {
                    lost += 1;
                    assert_eq!(synced(&mapping), Err(Sigbus.into()), "round {round}");
                    break;
                }
            }
            if lost >= 200 {
                break;
            }
        }
        over.store(true, Relaxed);
    });
    assert!(lost > 0, "nothing was lost");
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
