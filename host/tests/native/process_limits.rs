//! The process's own limits, reached by many mappings at once; and what becomes of them in the
//! programs that a host starts.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::Mapping;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// As many as the process lets us have.
fn unlimited() -> World {
    let most = u64::MAX / 2;
    World::without_budget(limits(|l| {
        l.mappings = most;
        l.mapped_bytes = most;
    }))
}

#[test]
fn without_descriptors_it_is_emfile_and_the_rest_serve() {
    in_child(|| {
        let world = unlimited();
        let path = world.file("f", &pattern(page()));
        with_rlimit(libc::RLIMIT_NOFILE, 100, || {
            let mut mappings: Vec<Mapping> = Vec::new();
            let error = loop {
                match world.open("f", &READ_WRITE) {
                    Ok(mapping) => mappings.push(mapping),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, Emfile);
            assert!(mappings.len() > 50, "{}", mappings.len());
            assert_eq!(world.usage.counters().mappings, mappings.len() as u64);
            for mapping in &mappings {
                assert_eq!(all(mapping), pattern(page()));
            }
            mappings.pop();
            mappings.push(world.map("f", &READ_WRITE));
        });
        assert_eq!((descriptors(&path).len(), mapped_ranges(&path)), (0, 0));
        world.assert_idle();
    });
}

#[test]
fn as_many_mappings_as_the_kernel_allows_all_serve() {
    in_child(|| {
        let most = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        let most: usize = most.trim().parse().unwrap();
        if most > 300_000 {
            println!("skipped: vm.max_map_count is {most}, too many to reach in a test");
            return;
        }
        let world = unlimited();
        let path = world.file("f", &pattern(page()));
        // Needs no descriptor once it is mapped.
        let mut mappings: Vec<Mapping> = Vec::with_capacity(most);
        let error = loop {
            match world.open("f", &READ) {
                Ok(mapping) => mappings.push(mapping),
                Err(error) => break error,
            }
        };
        assert_eq!(error, Enomem);
        assert!(mappings.len() > most / 2, "{} of {most}", mappings.len());
        let new = CREATE.size(page());
        assert_eq!(world.refused("new", &new), Enomem);
        assert_eq!(world.names(), ["f"]);
        for mapping in mappings.iter().step_by(1009) {
            assert_eq!(all(mapping), pattern(page()));
        }
        mappings.truncate(10);
        mappings.push(world.map("f", &READ));
        drop(mappings);
        assert_eq!((descriptors(&path).len(), mapped_ranges(&path)), (0, 0));
        world.assert_idle();
    });
}

#[test]
fn the_budget_of_the_process_leaves_it_half_of_its_ranges() {
    in_child(|| {
        let most = iommap::Budget::of_process().limits().ranges;
        if most > 150_000 {
            println!("skipped: {most} ranges of address space, too many to reach in a test");
            return;
        }
        let world = World::limited(limits(|l| l.mappings = u64::MAX));
        let path = world.file("f", &pattern(page()));
        let mut mappings: Vec<Mapping> = Vec::new();
        let error = loop {
            match world.open("f", &READ) {
                Ok(mapping) => mappings.push(mapping),
                Err(error) => break error,
            }
        };
        assert_eq!(error, LimitExceeded);
        assert_eq!(mappings.len() as u64, most);
        assert_eq!(world.refused("new", &CREATE.size(page())), LimitExceeded);
        assert_eq!(world.names(), ["f"]);
        // The host itself goes on.
        assert_eq!(std::thread::spawn(|| 1).join().unwrap(), 1);
        mappings.truncate(10);
        mappings.push(world.map("f", &READ));
        drop(mappings);
        assert_eq!(mapped_ranges(&path), 0);
        world.assert_idle();
        assert_eq!(iommap::Budget::of_process().used().ranges, 0);
    });
}

#[test]
fn a_hundred_thousand_opens_leave_the_usage_exact() {
    in_child(|| {
        let world = World::limited(limits(|l| l.mappings = 2));
        let path = world.file("f", &pattern(3 * page()));
        for n in 0..100_000u64 {
            let options = [&READ, &READ_WRITE, &PRIVATE][(n % 3) as usize];
            let mapping = world.map("f", options);
            match n % 4 {
                0 => drop(mapping),
                1 => {
                    mapping.close().unwrap();
                    assert_eq!(mapping.close(), Err(Closed.into()));
                }
                2 => {
                    assert!(world.open("missing", &READ).is_err());
                    mapping.close().unwrap();
                }
                _ => {
                    let second = world.map("f", &READ);
                    assert_eq!(world.refused("f", &READ), LimitExceeded);
                    drop((mapping, second));
                }
            }
        }
        world.assert_idle();
        let counters = world.usage.counters();
        assert_eq!(counters.opened, 125_000);
        assert_eq!((descriptors(&path).len(), mapped_ranges(&path)), (0, 0));
    });
}

#[test]
fn programs_that_are_started_have_sigbus_as_ever() {
    in_child(|| {
        let world = World::new();
        world.file("f", &pattern(page()));
        let _mapping = world.map("f", &READ);
        let started = Command::new("sh").args(["-c", "kill -BUS $$"]).status().unwrap();
        assert_eq!(started.signal(), Some(libc::SIGBUS));
    });
}
