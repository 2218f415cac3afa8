//! The process's own limits, reached by many mappings at once; and what becomes of them in the
//! programs that a host starts.

mod support;

use iommap::{Error, Limits, Mapping, OpenOptions};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use support::{
    CREATE, PRIVATE, READ, READ_WRITE, World, all, descriptors, in_child, mapped_ranges, page,
    pattern, with_rlimit,
};

/// As many as the process lets us have.
fn unlimited() -> World {
    let most = u64::MAX / 2;
    World::limited(Limits { mappings: most, mapped_bytes: most, ..Limits::default() })
}

#[test]
fn given_no_descriptors_left_when_one_more_is_mapped_then_emfile_and_the_others_serve() {
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
            assert_eq!(error, Error::MFile);
            assert!(mappings.len() > 50, "{}", mappings.len());
            assert_eq!(world.account.counters().mappings, mappings.len() as u64);
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
fn given_as_many_mappings_as_the_kernel_allows_when_one_more_is_made_then_enomem_and_all_serve() {
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
        assert_eq!(error, Error::NoMem);
        assert!(mappings.len() > most / 2, "{} of {most}", mappings.len());
        let new = OpenOptions { size: Some(page()), ..CREATE };
        assert_eq!(world.refused("new", &new), Error::NoMem);
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
fn given_a_hundred_thousand_opens_and_closes_when_all_are_over_then_the_account_is_exact() {
    in_child(|| {
        let world = World::limited(Limits { mappings: 2, ..Limits::default() });
        let path = world.file("f", &pattern(3 * page()));
        for n in 0..100_000u64 {
            let options = [&READ, &READ_WRITE, &PRIVATE][(n % 3) as usize];
            let mapping = world.map("f", options);
            match n % 4 {
                0 => drop(mapping),
                1 => {
                    mapping.close().unwrap();
                    assert_eq!(mapping.close(), Err(Error::Closed));
                }
                2 => {
                    assert!(world.open("missing", &READ).is_err());
                    mapping.close().unwrap();
                }
                _ => {
                    let second = world.map("f", &READ);
                    assert_eq!(world.refused("f", &READ), Error::LimitExceeded);
                    drop((mapping, second));
                }
            }
        }
        world.assert_idle();
        let counters = world.account.counters();
        assert_eq!(counters.opened, 125_000);
        assert_eq!((descriptors(&path).len(), mapped_ranges(&path)), (0, 0));
    });
}

#[test]
fn given_the_guard_in_place_when_a_program_is_started_then_sigbus_is_to_it_what_it_always_was() {
    in_child(|| {
        let world = World::new();
        world.file("f", &pattern(page()));
        let _mapping = world.map("f", &READ);
        let started = Command::new("sh").args(["-c", "kill -BUS $$"]).status().unwrap();
        assert_eq!(started.signal(), Some(libc::SIGBUS));
    });
}
