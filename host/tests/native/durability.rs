//! Where what was written is: in the page cache at once, and on the device after `sync`. And that
//! nobody waits for the device who did not ask to.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Mapping, SyncMode};
use rustix::fs::fstatfs;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// `statfs`'s name for a file system without a device.
const TMPFS: i64 = 0x0102_1994;

/// How often what other processes make the kernel do may spoil an attempt.
const TRIES: usize = 20;

/// Pages of a range that wait for the device, or that it is working on. `None` where nobody can
/// tell: on a file system without a device, or a kernel before 6.5.
fn unwritten(file: &File, offset: u64, length: u64) -> Option<u64> {
    /// The number of the system call, which libc has no name for yet.
    const CACHESTAT: libc::c_long = 451;
    if fstatfs(file).unwrap().f_type as i64 == TMPFS {
        return None;
    }
    let range = [offset, length];
    // nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted.
    let mut counts = [0u64; 5];
    // SAFETY: the call reads two words from `range` and writes five to `counts`.
    let done = unsafe {
        libc::syscall(CACHESTAT, file.as_raw_fd(), range.as_ptr(), counts.as_mut_ptr(), 0u32)
    };
    (done == 0).then_some(counts[1] + counts[2])
}

/// A mapping of many pages, all of them changed, and a handle to look at them.
fn changed(world: &World, pages: u64) -> (Mapping, File) {
    let options = CREATE.size(pages * page());
    let mapping = world.map("f", &options);
    let file = File::open(world.path("f")).unwrap();
    change(&mapping, pages);
    (mapping, file)
}

fn change(mapping: &Mapping, pages: u64) {
    let data = pattern(64 * page());
    for start in (0..pages).step_by(64) {
        let length = 64.min(pages - start) * page();
        mapping.pwrite(start * page(), &data[..length as usize]).unwrap();
    }
}

#[test]
fn the_device_has_what_was_synced() {
    let world = World::new();
    let (mapping, file) = changed(&world, 500);
    if unwritten(&file, 0, 0).is_none() {
        println!("skipped: nobody can tell what is on the device here");
        return;
    }
    mapping.sync_range(100 * page() + 1, 9 * page(), SyncMode::Sync).unwrap();
    assert_eq!(unwritten(&file, 100 * page(), 10 * page()), Some(0));
    mapping.sync(SyncMode::Sync).unwrap();
    assert_eq!(unwritten(&file, 0, 500 * page()), Some(0));
}

#[test]
fn a_new_length_flushes_nothing() {
    let world = World::new();
    let (mapping, file) = changed(&world, 4000);
    let mut pages = 4000;
    for _ in 0..TRIES {
        change(&mapping, pages);
        pages -= 1;
        mapping.set_len(pages * page()).unwrap();
        match unwritten(&file, 0, 0) {
            None => return println!("skipped: nobody can tell what is on the device here"),
            Some(waiting) if waiting > pages / 2 => return,
            Some(_) => {}
        }
    }
    panic!("after every truncate the device had all of it");
}

#[test]
fn a_close_does_not_wait_for_the_device() {
    for _ in 0..TRIES {
        let world = World::new();
        let (mapping, file) = changed(&world, 4000);
        mapping.close().unwrap();
        match unwritten(&file, 0, 0) {
            None => return println!("skipped: nobody can tell what is on the device here"),
            Some(waiting) if waiting > 2000 => {
                assert_eq!(world.contents("f")[..64], pattern(64));
                return;
            }
            Some(_) => {}
        }
    }
    panic!("after every close the device had all of it");
}

#[test]
fn nobody_waits_for_the_sync_of_another() {
    let world = World::new();
    let pages = (96 << 20) / page();
    let (mapping, file) = changed(&world, pages);
    if unwritten(&file, 0, 0).is_none() {
        println!("skipped: no device to wait for");
        return;
    }
    let (mut reads, mut writes) = (0, 0);
    for _ in 0..TRIES {
        let more = beside_a_sync(&mapping, pages);
        (reads, writes) = (reads + more.0, writes + more.1);
        // With a lock held by `sync` there would be none.
        if reads >= 5 && writes >= 5 {
            return;
        }
        change(&mapping, pages);
    }
    panic!("reads and writes wait for a sync to end");
}

/// How many reads and writes began and ended while a `sync` was waiting for the device.
fn beside_a_sync(mapping: &Mapping, pages: u64) -> (u64, u64) {
    let syncing = Waiting::this_thread();
    let over = AtomicBool::new(false);
    let (reads, writes) = (AtomicU64::new(0), AtomicU64::new(0));
    let while_it_runs = |count: &AtomicU64, work: &dyn Fn(u64)| {
        let mut n = 0;
        while !over.load(Ordering::Acquire) {
            let before = syncing.is_in(libc::SYS_msync);
            work(n * 7919 % pages * page());
            n += 1;
            if before && syncing.is_in(libc::SYS_msync) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while_it_runs(&reads, &|offset| mapping.pread(offset, &mut [0; 8]).unwrap());
        });
        scope.spawn(|| {
            while_it_runs(&writes, &|offset| mapping.pwrite(offset, &[1; 8]).unwrap());
        });
        mapping.sync(SyncMode::Sync).unwrap();
        over.store(true, Ordering::Release);
    });
    (reads.load(Ordering::Relaxed), writes.load(Ordering::Relaxed))
}

#[test]
fn what_a_killed_process_wrote_is_seen_by_others() {
    const PLACE: &str = "IOMMAP_TEST_KILLED";
    if let Some(place) = std::env::var_os(PLACE) {
        let world = World::at(place.as_ref(), Default::default(), iommap::FsPerms::ReadWrite);
        let mapping = world.map("f", &CREATE.size(5 * page()));
        mapping.pwrite(10, &pattern(4 * page())).unwrap();
        // SAFETY: neither call has preconditions. Nothing of ours runs after this.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
    in_child(|| {
        let world = World::new();
        let name = this_test(|| ());
        let killed = this_program()
            .args(["--exact", name, "--nocapture"])
            .env(PLACE, world.path("."))
            .status()
            .unwrap();
        assert_eq!(killed.signal(), Some(libc::SIGKILL));
        let mapping = world.map("f", &CREATE);
        assert_eq!(bytes(&mapping, 10, 4 * page()), pattern(4 * page()));
        assert_eq!(world.length("f"), 5 * page());
    });
}
