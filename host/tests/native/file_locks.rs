//! Locks on ranges of a file: who keeps whom out, what the kernel holds of it, and when it goes.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::LockMode::{self, Exclusive, Shared};
use iommap::{FsPerms, Grants, Mapping, Range, Usage};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A world whose stores may have so many locks.
pub(crate) fn world(locks: u64) -> World {
    World::limited(limits(|limits| limits.locks = locks))
}

pub(crate) fn range(offset: u64, length: u64) -> Range {
    Range { offset, length }
}

/// Has the mapping this lock now, at once?
#[track_caller]
pub(crate) fn has(mapping: &Mapping, offset: u64, length: u64, mode: LockMode) -> bool {
    let would = mapping.would_lock(range(offset, length), mode).unwrap();
    let has = mapping.lock(range(offset, length), mode, Some(Duration::ZERO)).unwrap();
    assert_eq!(would, has, "{offset}+{length} {mode:?}");
    has
}

#[track_caller]
fn refused(mapping: &Mapping, offset: u64, length: u64, mode: LockMode) -> ErrorKind {
    mapping.lock(range(offset, length), mode, None).unwrap_err().kind()
}

/// How many locks the kernel has for this process's open file descriptions of a file.
fn kernels(path: &Path) -> usize {
    descriptors(path)
        .iter()
        .map(|number| std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap())
        .map(|info| info.lines().filter(|line| line.starts_with("lock:")).count())
        .sum()
}

#[test]
fn two_mappings_keep_each_other_out_of_the_same_bytes() {
    let world = world(9);
    world.file("f", b"contents");
    for (held, asked, both) in [
        (Shared, Shared, true),
        (Shared, Exclusive, false),
        (Exclusive, Shared, false),
        (Exclusive, Exclusive, false),
    ] {
        let [one, other] = [0; 2].map(|_| world.map("f", &READ_WRITE));
        assert!(has(&one, 10, 10, held));
        for (offset, length, apart) in [
            (10, 10, false),
            (0, 0, false),
            (19, 0, false),
            (0, 11, false),
            (15, 1, false),
            (20, 0, true),
            (0, 10, true),
            (1 << 62, 1, true),
        ] {
            let has = has(&other, offset, length, asked);
            assert_eq!(has, both || apart, "{held:?} {asked:?} {offset}+{length}");
            other.unlock(range(0, 0)).unwrap();
        }
    }
    world.assert_idle();
}

#[test]
fn a_lock_is_converted_and_given_back_in_parts() {
    let world = world(9);
    world.file("f", b"contents");
    let [one, other] = [0; 2].map(|_| world.map("f", &READ_WRITE));
    assert!(has(&one, 0, 100, Exclusive));
    assert!(!has(&other, 40, 1, Shared));
    one.unlock(range(40, 20)).unwrap();
    assert!(has(&other, 40, 20, Exclusive));
    assert!(!has(&other, 39, 1, Shared) && !has(&other, 60, 1, Shared));
    // What can't be converted stays as it is.
    assert!(!has(&one, 0, 0, Shared));
    assert!(!has(&other, 39, 1, Shared));
    other.unlock(range(0, 0)).unwrap();
    assert!(has(&one, 0, 0, Shared));
    assert!(has(&other, 0, 0, Shared));
    assert!(!has(&one, 5, 1, Exclusive));
    other.unlock(range(5, 1)).unwrap();
    assert!(has(&one, 5, 1, Exclusive));
    // Nothing of it was held.
    one.unlock(range(1 << 40, 7)).unwrap();
    drop((one, other));
    world.assert_idle();
}

#[test]
fn the_kernel_has_as_many_locks_as_are_counted() {
    let world = world(7);
    let path = world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    let other = world.map("f", &READ_WRITE);
    let mut random = fastrand::Rng::with_seed(3);
    let mut refusals = 0;
    for step in 0..5000 {
        let range = range(random.u64(0..50), random.u64(0..20));
        let mapping = if random.bool() { &mapping } else { &other };
        let done = match random.u8(0..3) {
            0 => mapping.unlock(range),
            1 => mapping.lock(range, Shared, Some(Duration::ZERO)).map(drop),
            _ => mapping.lock(range, Exclusive, Some(Duration::ZERO)).map(drop),
        };
        if let Err(error) = done {
            assert_eq!(error, LimitExceeded);
            refusals += 1;
        }
        let counted = world.usage.counters().locks;
        assert!(counted <= 7, "step {step}");
        assert_eq!(kernels(&path) as u64, counted, "step {step}: {range:?}");
    }
    assert!(refusals > 100, "{refusals}");
    assert_eq!(world.usage.counters().peak_locks, 7);
    drop((mapping, other));
    world.assert_idle();
}

/// The same by a table of who has which byte how, for mappings that come and go.
#[test]
fn random_locks_agree_with_a_table_of_bytes() {
    const BYTES: usize = 24;
    let world = world(1000);
    world.file("f", b"contents");
    let new = || (world.map("f", &READ_WRITE), [None::<LockMode>; BYTES]);
    let mut all = [new(), new(), new()];
    let mut random = fastrand::Rng::with_seed(11);
    let mut outcomes = [0; 2];
    for step in 0..10_000 {
        let who = random.usize(0..all.len());
        let start = random.usize(0..BYTES);
        let length = random.usize(0..BYTES - start);
        // Without an end, or to one.
        let end = if length == 0 { BYTES } else { start + length };
        let wanted = range(start as u64, length as u64);
        match random.u8(0..10) {
            0 => all[who] = new(),
            1..=4 => {
                all[who].0.unlock(wanted).unwrap();
                all[who].1[start..end].fill(None);
            }
            _ => {
                let mode = if random.bool() { Shared } else { Exclusive };
                let others = all.iter().enumerate().filter(|(n, _)| *n != who);
                let held = others.flat_map(|(_, (_, bytes))| &bytes[start..end]).flatten();
                let free = held.copied().all(|held| held == Shared && mode == Shared);
                let has = has(&all[who].0, wanted.offset, wanted.length, mode);
                assert_eq!(has, free, "step {step}: {who} {mode:?} {wanted:?} {all:?}");
                outcomes[usize::from(has)] += 1;
                if has {
                    all[who].1[start..end].fill(Some(mode));
                }
            }
        }
    }
    assert!(outcomes.iter().all(|count| *count > 500), "{outcomes:?}");
    drop(all);
    world.assert_idle();
}

#[test]
fn thousands_of_locks_are_refused_by_the_limit() {
    let world = world(1000);
    let path = world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    for n in 0..1000 {
        assert!(mapping.lock(range(2 * n, 1), Shared, None).unwrap());
    }
    for n in 1000..10_000 {
        assert_eq!(refused(&mapping, 2 * n, 1, Shared), LimitExceeded);
    }
    assert_eq!(kernels(&path), 1000);
    // In the middle of one: two would be left.
    mapping.unlock(range(0, 0)).unwrap();
    assert!(mapping.lock(range(0, 0), Shared, None).unwrap());
    for n in 1..1000 {
        mapping.unlock(range(2 * n, 1)).unwrap();
    }
    assert_eq!(mapping.unlock(range(5000, 1)).unwrap_err(), LimitExceeded);
    assert_eq!(kernels(&path), 1000);
    mapping.close().unwrap();
    assert_eq!(world.usage.counters().locks, 0);
}

#[test]
fn what_may_not_be_locked_is_refused_in_order() {
    let world = world(1);
    world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    assert!(has(&mapping, 0, 1, Exclusive));
    assert_eq!(refused(&mapping, 2, 1, Exclusive), LimitExceeded);
    for (offset, length) in [(u64::MAX, 1), (1 << 63, 0), (1, (1 << 63) - 1), (5, u64::MAX)] {
        assert_eq!(refused(&mapping, offset, length, Shared), Badarg, "{offset}+{length}");
        assert_eq!(mapping.unlock(range(offset, length)).unwrap_err(), Badarg);
        let would = mapping.would_lock(range(offset, length), Shared);
        assert_eq!(would.unwrap_err(), Badarg);
    }
    assert!(has(&mapping, 0, (1 << 63) - 1, Shared) && has(&mapping, (1 << 63) - 1, 0, Shared));
    assert_eq!(world.usage.counters().locks, 1);
    for (options, mode) in
        [(READ, Exclusive), (PRIVATE, Exclusive), (READ.private(true), Exclusive), (WRITE, Shared)]
    {
        let mapping = world.map("f", &options);
        assert_eq!(refused(&mapping, u64::MAX, 1, mode), Eacces, "{options:?}");
        let would = mapping.would_lock(range(0, 0), mode);
        assert_eq!(would.unwrap_err(), Eacces, "{options:?}");
        mapping.close().unwrap();
        assert_eq!(refused(&mapping, u64::MAX, 1, mode), Closed, "{options:?}");
        assert_eq!(mapping.unlock(range(u64::MAX, 1)).unwrap_err(), Closed);
        assert_eq!(mapping.would_lock(range(0, 0), mode).unwrap_err(), Closed);
    }
    let none = World::new();
    none.file("f", b"contents");
    let mapping = none.map("f", &READ_WRITE);
    assert_eq!(refused(&mapping, 0, 0, Shared), Enotsup);
    assert_eq!(mapping.would_lock(range(0, 0), Shared).unwrap_err(), Enotsup);
    assert_eq!(mapping.unlock(range(0, 0)), Ok(()));
    assert!(descriptors(&none.path("f")).len() == 1, "no more than it needs");
}

#[test]
fn whoever_only_asks_about_locks_keeps_no_descriptor() {
    let world = world(1);
    let path = world.file("f", b"contents");
    let holder = world.map("f", &READ_WRITE);
    assert!(has(&holder, 0, 1, Exclusive));
    let asks = [0; 20].map(|_| world.map("f", &READ_WRITE));
    let before = descriptors(&path).len();
    for (n, mapping) in asks.iter().enumerate() {
        let would = |offset| mapping.would_lock(range(offset, 1), Shared).unwrap();
        assert_eq!((would(0), would(1)), (false, true), "{n}");
    }
    assert_eq!(descriptors(&path).len(), before);
}

#[test]
fn a_store_without_a_limit_on_locks_has_them_on_what_it_only_reads() {
    for locks in [u64::MAX - 1, u64::MAX] {
        let world = world(locks);
        world.file("f", b"contents");
        let reader = world.map("f", &READ);
        assert!(has(&reader, 0, 0, Shared), "{locks}");
    }
}

#[test]
fn a_programs_own_mappings_lock_what_they_keep_open() {
    let world = World::new();
    let path = world.file("f", b"contents");
    let reader = Mapping::open(&path).unwrap();
    assert_eq!(refused(&reader, 0, 0, Shared), Enotsup);
    let reader = Mapping::options().read(true).lockable(true).open(&path).unwrap();
    let writer = Mapping::options().read(true).write(true).open(&path).unwrap();
    assert!(has(&reader, 0, 0, Shared));
    assert!(has(&writer, 0, 0, Shared));
    assert!(!has(&writer, 0, 1, Exclusive));
    reader.close().unwrap();
    assert!(has(&writer, 0, 1, Exclusive));
}

#[test]
fn locks_of_a_descriptor_that_others_have_too_are_the_mappings_own() {
    let world = world(9);
    let path = world.file("f", b"contents");
    let options = READ_WRITE;
    let file = Arc::new(File::options().read(true).write(true).open(&path).unwrap());
    let [one, other] = [0; 2].map(|_| {
        let perms = FsPerms::ReadWrite;
        Mapping::from_file(&file, "f", perms, &world.usage, &options).unwrap()
    });
    assert!(has(&one, 0, 0, Exclusive));
    assert!(!has(&other, 0, 0, Shared));
    drop(file);
    assert!(!has(&other, 0, 0, Shared));
    drop(one);
    assert!(has(&other, 0, 0, Exclusive));
}

#[test]
fn guests_of_a_shared_mapping_lock_each_for_itself() {
    let world = World::new();
    let path = world.file("f", b"contents");
    let index = Mapping::options().read(true).lockable(true).open(&path).unwrap();
    let mut grants = Grants::default();
    grants.share("/index", index, FsPerms::ReadOnly);
    let [one, other, none] = [9, 9, 0].map(|locks| {
        let usage = Usage::new(limits(|limits| limits.locks = locks));
        grants.open(&usage, "/index", &READ).unwrap()
    });
    assert_eq!(refused(&one, 0, 0, Exclusive), Eacces);
    assert_eq!(refused(&none, 0, 0, Shared), Enotsup);
    assert!(has(&one, 0, 0, Shared) && has(&other, 0, 0, Shared));
    let writer = Mapping::options().read(true).write(true).open(&path).unwrap();
    assert!(!has(&writer, 0, 0, Exclusive));
    drop(one);
    assert!(!has(&writer, 0, 0, Exclusive));
    drop(other);
    assert!(has(&writer, 0, 0, Exclusive));
}

#[test]
fn all_stores_together_have_no_more_locks_than_the_budget() {
    let mut budget = iommap::BudgetLimits::unlimited();
    budget.locks = 5;
    let budget = iommap::Budget::new(budget);
    let mut world = World::new();
    world.file("f", b"contents");
    let stores = [0; 2].map(|_| {
        let limits = limits(|limits| limits.locks = 4);
        world.usage = Usage::within(limits, "store", budget.clone());
        world.map("f", &READ_WRITE)
    });
    for n in 0..4 {
        assert!(has(&stores[0], 2 * n, 1, Shared));
    }
    assert!(has(&stores[1], 0, 1, Shared));
    assert_eq!(refused(&stores[1], 2, 1, Shared), LimitExceeded);
    stores[0].close().unwrap();
    assert!(has(&stores[1], 2, 1, Shared));
    assert_eq!(budget.used().locks, 2);
}
