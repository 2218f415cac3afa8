//! What a guest can't take from its process: signals, memory, address space. Each test in a child.

use std::env;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use iommap::{FsPerms, Limits};
use iommap_tests::child::{DONE, in_child, in_group};
use iommap_tests::scene::{Kind, Scene, assert_all_returned, on_each_store, page};

/// In the environment of a process that changes a file's length: the file.
const CHANGE: &str = "IOMMAP_TEST_CHANGE";

/// How long it does so.
const WHILE: Duration = Duration::from_secs(2);

#[test]
fn a_limit_on_files_passed_in_a_race_is_no_signal() {
    in_child(|| {
        let page = page();
        if let Some(path) = env::var_os(CHANGE) {
            let file = File::options().write(true).open(path).unwrap();
            let start = Instant::now();
            while start.elapsed() < WHILE {
                file.set_len(8 * page).unwrap();
                for _ in 0..200 {
                    std::hint::spin_loop();
                }
                file.set_len(0).unwrap();
            }
            return;
        }
        let scene = Scene::new(Kind::Sync);
        scene.write("f", vec![1; 8 * page as usize]);
        let mut other = Command::new(env::current_exe().unwrap())
            .args(env::args_os().skip(1))
            .env(CHANGE, scene.path("f"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let limit = libc::rlimit { rlim_cur: 4 * page, rlim_max: 4 * page };
        // SAFETY: the pointer is to a limit of our own. The signal ends this process, as it does.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
        }
        let mut guest = scene.guest();
        guest.play("open m /data/f read-write -> ok");
        // It grows where the file is empty, which is too much, and cuts where it is not.
        let status = loop {
            let answer = guest.step(&format!("truncate m {}", 6 * page));
            assert!(["ok", "err efbig"].contains(&&*answer), "{answer}");
            if let Some(status) = other.try_wait().unwrap() {
                break status;
            }
        };
        assert_eq!(status.code(), Some(DONE), "the process that changes the file: {status}");
        scene.cut("f", 0);
        guest.play(&format!("truncate m {} -> err efbig", 6 * page));
    });
}

#[test]
fn a_million_small_ranges_are_more_than_a_call_may_touch() {
    on_each_store(|scene| {
        let (page, count) = (page(), 1_000_000);
        scene.write("f", "");
        scene.cut("f", page * 20_000);
        let mut guest = scene.guest_with(&mut scene.grant_as(FsPerms::ReadOnly));
        guest.play("open p /data/f read-write private -> ok");
        guest.play("open r /data/f read -> ok");
        let list = |count: u64| {
            let ranges = (0..count).map(|at| format!("{}+1", at % 20_000 * page));
            ranges.collect::<Vec<_>>().join(",")
        };
        let many = list(count);
        guest.play(&format!("pwrite-many p {many} fill:1:{count} -> err limit-exceeded"));
        guest.play(&format!("pread-many r {many} -> err limit-exceeded"));
        // A limit of 64 MiB is 16 Ki pages of 4 KiB, and the list takes some of it.
        let (fits, list_fits) = (15_000, list(15_000));
        let answer = guest.step(&format!("pread-many r {list_fits}"));
        assert!(answer.starts_with(&format!("ok len={fits} ")), "{answer}");
        let counters = guest.counters();
        assert_eq!((counters.bytes_read, counters.bytes_written), (fits, 0));
        let list_too_long = list(17_000);
        guest.play(&format!("pread-many r {list_too_long} -> err limit-exceeded"));
    });
}

#[test]
fn what_guests_write_privately_leaves_a_small_container_alive() {
    in_group(256 << 20, || {
        for kind in Kind::ALL {
            let scene = Scene::new(kind);
            let length: u64 = 400 << 20;
            scene.write("f", "");
            scene.cut("f", length);
            let mut guest = scene.guest_with(&mut scene.grant_as(FsPerms::ReadOnly));
            guest.play("open p /data/f read-write private -> ok");
            let piece = 1 << 20;
            let mut written = 0;
            let answer = loop {
                assert!(written < length, "all of it was written");
                let answer = guest.step(&format!("pwrite p {written} fill:7:{piece}"));
                if answer != "ok" {
                    break answer;
                }
                written += piece;
            };
            assert_eq!(answer, "err limit-exceeded");
            assert!(written >= 16 << 20, "only {written} bytes could be written");
            // What is written already may be written again, and is there.
            guest.play("pwrite p 0 text:again -> ok");
            guest.play("pread p 0 6 -> ok hex:616761696e07");
            let usage = guest.usage();
            assert!(usage.counters().private_bytes >= written);
            guest.play("close p -> ok");
            assert_eq!(usage.counters().private_bytes, 0);
            guest.play("open q /data/f read-write private -> ok");
            guest.play("pwrite q 0 fill:7:1048576 -> ok");
            drop(guest);
            assert_all_returned(&usage);
        }
    });
}

#[test]
fn a_private_mapping_of_more_than_the_memory_can_be_opened() {
    in_child(|| {
        let memory = fs::read_to_string("/proc/meminfo").unwrap();
        let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
        let total: u64 = total.trim().strip_suffix(" kB").unwrap().trim().parse().unwrap();
        let length = 3 * (total << 10);
        on_each_store(|scene| {
            scene.write("f", "");
            if File::options().write(true).open(scene.path("f")).unwrap().set_len(length).is_err() {
                return eprintln!("skipped: no file of {length} bytes here");
            }
            let mut builder = scene.grant_as(FsPerms::ReadOnly);
            let mut limits = Limits::default();
            limits.mapped_bytes = 2 * length;
            let mut guest = scene.guest_with(builder.limits(limits));
            guest.play("open p /data/f read-write private -> ok");
            guest.play(&format!("pwrite p {} text:end -> ok", length - 3));
            guest.play(&format!("pread p {} 3 -> ok hex:656e64", length - 3));
        });
    });
}

#[test]
fn many_stores_leave_their_host_threads_and_memory() {
    in_child(|| {
        let scene = Scene::new(Kind::Sync);
        scene.write("f", "");
        scene.cut("f", 1 << 20);
        let mut guests = Vec::new();
        let refused = 'full: loop {
            assert!(guests.len() < 2000, "2000 stores, and none is refused");
            let mut guest = scene.guest_with(&mut scene.grant_as(FsPerms::ReadOnly));
            for n in 0..64 {
                let answer = guest.step(&format!("open m{n} /data/f read-write private"));
                if answer != "ok" {
                    guests.push(guest);
                    break 'full answer;
                }
                // Each a range of address space of its own, if it is applied.
                for part in 0..16 {
                    guest.step(&format!("advise m{n} {} 4096 random", (2 * part + 1) * 8192));
                }
            }
            guests.push(guest);
        };
        assert_eq!(refused, "err limit-exceeded", "after {} stores", guests.len());
        // The host has room for what it needs itself.
        let threads: Vec<_> =
            (0..100).map(|_| std::thread::Builder::new().spawn(std::thread::park)).collect();
        assert!(threads.iter().all(Result::is_ok), "{threads:?}");
        let mut memory: Vec<Vec<u8>> = (0..100).map(|_| Vec::new()).collect();
        for block in &mut memory {
            block.try_reserve_exact(1 << 20).unwrap();
        }
        for thread in threads.into_iter().flatten() {
            thread.thread().unpark();
            thread.join().unwrap();
        }
        // A new store is served once others are gone.
        guests.drain(..guests.len() / 2);
        scene.guest().play("open m /data/f read -> ok");
    });
}

#[test]
fn handles_of_closed_mappings_are_counted_until_they_are_dropped() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut limits = Limits::default();
        (limits.mappings, limits.handles) = (1, 10);
        let mut guest = scene.guest_with(scene.grant().limits(limits));
        for n in 0..10 {
            guest.play(&format!("open m{n} /data/f read -> ok"));
            guest.play(&format!("close m{n} -> ok"));
        }
        assert_eq!((guest.counters().mappings, guest.counters().handles), (0, 10));
        guest.play(
            "
            open x /data/f read                     -> err limit-exceeded
            wasi-open fd /data/f read               -> ok
            map x fd read                           -> err limit-exceeded
            drop m3                                 -> ok
            open x /data/f read                     -> ok
            drop x                                  -> ok
            map x fd read                           -> ok
            pread x 0 5                             -> ok hex:68656c6c6f
            ",
        );
        let usage = guest.usage();
        drop(guest);
        assert_all_returned(&usage);
        assert_eq!(usage.counters().handles, 0);
    });
}
