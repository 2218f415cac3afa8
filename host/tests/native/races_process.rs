//! One store's calls, and all the rest of the process: nobody stands still, and nothing runs out.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Advice, FsPerms, Limits, Range};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use tempfile::TempDir;

/// How often something is tried that other processes may spoil.
const TRIES: usize = 20;

/// How often another thread gets memory from the kernel, and gives it back, while something is
/// done to a mapping of this many bytes: after some of its pages have come or gone, and before all.
fn others_meanwhile<R>(bytes: u64, work: impl FnOnce() -> R) -> (u64, R) {
    // Those that files and tmpfs have in this process's memory.
    let resident = || {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(2).unwrap().parse::<u64>().unwrap() * page()
    };
    let start = resident();
    let (over, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    let running = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            running.wait();
            while !over.load(Relaxed) {
                let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
                let access = ProtFlags::READ | ProtFlags::WRITE;
                // SAFETY: the mapping is new, and nobody else knows of it.
                unsafe {
                    let memory =
                        mmap_anonymous(std::ptr::null_mut(), 1 << 16, access, flags).unwrap();
                    munmap(memory, 1 << 16).unwrap();
                }
                if (bytes / 20..bytes - bytes / 20).contains(&resident().abs_diff(start)) {
                    rounds.fetch_add(1, Relaxed);
                }
            }
        });
        running.wait();
        let result = work();
        over.store(true, Relaxed);
        // Where no page came or went, nobody had to wait for it.
        let idle = resident().abs_diff(start) < bytes / 20;
        (if idle { u64::MAX } else { rounds.load(Relaxed) }, result)
    })
}

/// A directory whose files are in memory, or else any.
fn in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

#[test]
fn others_get_memory_while_large_mappings_come_grow_and_go() {
    const SIZE: u64 = 256 << 20;
    in_child(|| {
        let directory = in_memory();
        let world = World::at(directory.path(), Limits::default(), FsPerms::ReadWrite);
        // One call of the kernel's for all of it would leave room for others before and after.
        let enough = |rounds: &[u64; 3]| rounds.iter().all(|rounds| *rounds >= 8);
        let mut best = [0; 3];
        for _ in 0..TRIES {
            world.sparse("f", SIZE);
            let (populating, mapping) =
                others_meanwhile(SIZE, || world.map("f", &READ_WRITE.populate(true)));
            let (growing, ()) = others_meanwhile(SIZE, || mapping.set_len(2 * SIZE).unwrap());
            mapping.advise(0, SIZE, Advice::WillNeed).unwrap();
            let mut target = vec![0; 1 << 20];
            for at in 0..SIZE >> 20 {
                mapping.pread(at << 20, &mut target).unwrap();
            }
            let (closing, ()) = others_meanwhile(SIZE, || mapping.close().unwrap());
            for (best, rounds) in best.iter_mut().zip([populating, growing, closing]) {
                *best = rounds.max(*best);
            }
            if enough(&best) {
                return;
            }
        }
        panic!("beside populate, growth and close others got memory so often: {best:?}");
    });
}

/// Bytes of all files in memory on this machine.
fn in_shared_memory() -> u64 {
    // SAFETY: the structure is plain numbers, which the call writes.
    let info = unsafe {
        let mut info: libc::sysinfo = std::mem::zeroed();
        assert_eq!(libc::sysinfo(&mut info), 0);
        info
    };
    info.sharedram as u64 * u64::from(info.mem_unit)
}

#[test]
fn a_mapping_is_read_while_its_file_is_cut() {
    const SIZE: u64 = 256 << 20;
    in_child(|| {
        let Ok(directory) = TempDir::new_in("/dev/shm") else {
            println!("skipped: no files in memory, whose pages can be seen to go");
            return;
        };
        let world = World::at(directory.path(), Limits::default(), FsPerms::ReadWrite);
        let mapping = world.map("f", &CREATE.size(SIZE));
        let mut most = 0;
        for _ in 0..TRIES {
            let start = in_shared_memory();
            // Some of the pages are gone, and some are not.
            let half_way = || {
                let gone = start.saturating_sub(in_shared_memory());
                (SIZE / 10..SIZE - SIZE / 10).contains(&gone)
            };
            let (over, reads) = (AtomicBool::new(false), AtomicU64::new(0));
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(Relaxed) {
                        let before = half_way();
                        mapping.pread(0, &mut [0; 8]).unwrap();
                        if before && half_way() {
                            reads.fetch_add(1, Relaxed);
                        }
                    }
                });
                mapping.set_len(page()).unwrap();
                over.store(true, Relaxed);
            });
            most = most.max(reads.load(Relaxed));
            if most >= 5 {
                return;
            }
            mapping.set_len(SIZE).unwrap();
        }
        panic!("{most} reads began and ended while the file was cut");
    });
}

#[test]
fn many_stores_leave_the_host_what_it_needs() {
    in_child(|| {
        let most = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        if most.trim().parse::<u64>().unwrap() > 300_000 {
            println!("skipped: vm.max_map_count is {most}, too many to reach in a test");
            return;
        }
        let world = World::read_only();
        world.sparse("f", 1 << 30);
        let mut stores = Vec::new();
        let mut held = Vec::new();
        // Hints cut a mapping into ranges, as far as they are applied.
        let error = 'stores: loop {
            let usage = iommap::Usage::new(Limits::default());
            for _ in 0..64 {
                match world.grants.open(&usage, "/d/f", &PRIVATE) {
                    Ok(mapping) => {
                        for part in 0..16 {
                            let offset = (2 * part + 1) * 2 * page();
                            // Where no range is left for it, a hint is refused as an open is.
                            let hinted = mapping.advise(offset, page(), Advice::Random);
                            assert!(hinted.is_ok() || hinted == Err(LimitExceeded.into()));
                        }
                        held.push(mapping);
                    }
                    Err(error) => break 'stores error,
                }
            }
            stores.push(usage);
            assert!(stores.len() < 10_000, "no end of it");
        };
        assert!(error == LimitExceeded || error == Enomem, "{error}");
        let made = thread::Builder::new().spawn(|| 1).map(|made| made.join().unwrap());
        assert_eq!(made.unwrap(), 1, "a thread of the host's");
        let mut memory: Vec<u8> = Vec::new();
        assert_eq!(memory.try_reserve_exact(1 << 20), Ok(()), "memory of the host's");
        assert_eq!(bytes(&held[0], 0, 4), [0; 4]);
        drop(held);
        world.map("f", &PRIVATE);
    });
}

/// A file system of huge pages, and its directory; the script says so where there are none.
const HUGE: &str = "grep -q 'HugePages_Free: *[1-9]' /proc/meminfo && \
    mount -t hugetlbfs -o pagesize=2M none \"$0\"";

#[test]
fn a_length_that_huge_pages_refuse_takes_no_address_space() {
    on_mount("a hugetlbfs with free pages", HUGE, |disk| {
        let world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
        let mapping = world.map("f", &CREATE.size(2 << 20));
        let ranges = || fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        mapping.set_len(3 << 20).unwrap_err();
        let before = ranges();
        for _ in 0..1000 {
            mapping.set_len(3 << 20).unwrap_err();
        }
        assert_eq!(ranges(), before);
        assert_eq!(mapping.len(), Ok(2 << 20));
        mapping.pwrite(100, b"alive").unwrap();
        assert_eq!(bytes(&mapping, 100, 5), b"alive");
        drop(mapping);
        world.assert_idle();
    });
}

#[test]
fn a_failed_create_on_huge_pages_leaves_no_file() {
    on_mount("a hugetlbfs with free pages", HUGE, |disk| {
        let world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
        let memory = fs::read_to_string("/proc/meminfo").unwrap();
        let pages = memory.lines().find_map(|line| line.strip_prefix("HugePages_Total:")).unwrap();
        let too_large = (pages.trim().parse::<u64>().unwrap() + 1) * (2 << 20);
        let ranges = || fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let before = ranges();
        for _ in 0..100 {
            world.refused("new", &CREATE.size(too_large));
            assert!(world.names().is_empty());
        }
        assert!(ranges() < before + 10, "{before} ranges, and then {}", ranges());
        // One that is no multiple of a page is refused likewise, or serves.
        match world.open("odd", &CREATE.size(5000)) {
            Err(_) => assert!(world.names().is_empty()),
            Ok(mapping) => {
                mapping.pwrite(4995, b"there").unwrap();
                assert_eq!(bytes(&mapping, 4995, 5), b"there");
                assert_eq!(mapping.pread(5000, &mut [0]), Err(OutOfBounds.into()));
            }
        }
        world.assert_idle();
    });
}

#[test]
fn a_huge_limit_on_a_call_still_checks_every_range() {
    let world = World::limited(limits(|l| l.call_bytes = u64::MAX));
    world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    let outside = [Range { offset: 9, length: 0 }];
    for call_bytes in [1 << 36, (1 << 36) + 16, 1 << 40, u64::MAX] {
        let world = World::limited(limits(|l| l.call_bytes = call_bytes));
        world.file("f", b"contents");
        let mapping = world.map("f", &READ_WRITE);
        assert_eq!(mapping.pread_many(&outside, &mut []), Err(OutOfBounds.into()));
        assert_eq!(mapping.pwrite_many(&outside, &[]), Err(OutOfBounds.into()));
    }
    assert_eq!(mapping.pread_many(&outside, &mut []), Err(OutOfBounds.into()));
}
