//! Waiting on a word, and waking who does: in one process, in several, and by the system's own call.
#![cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]

use crate::support::*;
use iommap::Waited::{self, *};
use iommap::{Budget, BudgetLimits, Change, FsPerms, Mapping, Usage};
use std::time::Duration;

/// A world with a file of a page, whose store may have so many who wait.
fn world(waiters: u64) -> World {
    let world = World::limited(limits(|limits| limits.waiters = waiters));
    world.file("f", &vec![0; page() as usize]);
    world
}

/// Wakes so many, who may be on their way to the word.
fn wake(mapping: &Mapping, offset: u64, mut count: u32) {
    while count > 0 {
        count -= mapping.notify(offset, count).unwrap();
        std::thread::yield_now();
    }
}

fn waits(usage: &Usage) -> u64 {
    usage.counters().waiters
}

#[test]
fn who_waits_is_woken_by_another_mapping_of_the_file() {
    let world = world(4);
    let [one, other] = [READ_WRITE, READ].map(|options| world.map("f", &options));
    std::thread::scope(|scope| {
        let three = [(); 3].map(|()| scope.spawn(|| other.wait(8, 0, None)));
        wake(&one, 8, 2);
        while waits(&world.usage) != 1 {
            std::thread::yield_now();
        }
        // On another word of the page nobody waits.
        assert_eq!(one.notify(12, u32::MAX), Ok(0));
        assert_eq!(one.notify(8, 0), Ok(0));
        wake(&one, 8, 1);
        for waiting in three {
            assert_eq!(waiting.join().unwrap(), Ok(Woken));
        }
    });
    assert_eq!(one.notify(8, u32::MAX), Ok(0));
    let used = world.usage.counters();
    assert_eq!((used.waiters, used.word_waits), (0, 3));
    assert!(used.peak_waiters >= 1);
}

#[test]
fn a_wait_ends_by_its_time_and_does_not_begin_on_another_number() {
    let world = world(1);
    let mapping = world.map("f", &READ_WRITE);
    let time = |millis| Some(Duration::from_millis(millis));
    assert_eq!(mapping.wait(0, 0, time(0)), Ok(TimedOut));
    assert_eq!(mapping.wait(0, 0, time(30)), Ok(TimedOut));
    mapping.store(0, 7_u32).unwrap();
    for timeout in [time(0), time(30), Some(Duration::MAX), None] {
        assert_eq!(mapping.wait(0, 0, timeout), Ok(NotEqual));
    }
    assert_eq!(world.usage.counters().word_waits, 1);
}

#[test]
fn who_may_not_wait_or_notify_is_refused_in_order() {
    let world = world(1);
    let none = World::at(&world.path(""), limits(|_| ()), FsPerms::ReadWrite);
    let now = Some(Duration::ZERO);
    for (options, waits, notifies) in [
        (READ, Ok(TimedOut), Err(Eacces.into())),
        (WRITE, Err(Eacces.into()), Ok(0)),
        (READ_WRITE, Ok(TimedOut), Ok(0)),
        (READ.private(true), Err(Eacces.into()), Err(Eacces.into())),
        (PRIVATE, Err(Eacces.into()), Err(Eacces.into())),
    ] {
        let mapping = world.map("f", &options);
        assert_eq!(mapping.wait(4, 0, now), waits, "{options:?}");
        assert_eq!(mapping.notify(4, 1), notifies, "{options:?}");
        let (waits, notifies) = (waits.map(drop), notifies.map(drop));
        for (offset, kind) in [(2, Badarg), (page(), OutOfBounds)] {
            assert_eq!(mapping.wait(offset, 0, now).map(drop), waits.clone().and(Err(kind.into())));
            assert_eq!(mapping.notify(offset, 1).map(drop), notifies.clone().and(Err(kind.into())));
        }
        let mapping = none.map("f", &options);
        assert_eq!(mapping.wait(4, 0, now).map(drop), waits.and(Err(Enotsup.into())));
        assert_eq!(mapping.notify(4, 1).map(drop), notifies, "it costs nothing");
        mapping.close().unwrap();
        assert_eq!(mapping.wait(2, 0, now), Err(Closed.into()));
        assert_eq!(mapping.notify(2, 1), Err(Closed.into()));
    }
}

#[test]
fn more_who_wait_than_may_are_refused() {
    let world = world(1);
    let mapping = world.map("f", &READ_WRITE);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| mapping.wait(0, 0, None));
        while waits(&world.usage) == 0 {
            std::thread::yield_now();
        }
        assert_eq!(mapping.wait(4, 0, Some(Duration::from_secs(9))), Err(LimitExceeded.into()));
        wake(&mapping, 0, 1);
        assert_eq!(waiting.join().unwrap(), Ok(Woken));
    });
    assert_eq!(mapping.wait(4, 0, Some(Duration::ZERO)), Ok(TimedOut));
}

#[test]
fn all_stores_together_have_no_more_who_wait_than_the_budget() {
    let world = world(0);
    let mut all = BudgetLimits::unlimited();
    all.waiters = 1;
    let budget = Budget::new(all);
    let map = |name| {
        let usage = Usage::within(limits(|limits| limits.waiters = 9), name, budget.clone());
        world.grants.open(&usage, "/d/f", &READ_WRITE).unwrap()
    };
    let (one, other) = (map("one"), map("other"));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| one.wait(0, 0, None));
        while budget.used().waiters == 0 {
            std::thread::yield_now();
        }
        assert_eq!(other.wait(4, 0, None), Err(LimitExceeded.into()));
        wake(&other, 0, 1);
        assert_eq!(waiting.join().unwrap(), Ok(Woken));
    });
    assert_eq!(other.wait(4, 0, Some(Duration::ZERO)), Ok(TimedOut));
    assert_eq!(budget.used().waiters, 0);
}

#[test]
fn a_wait_on_a_lost_page_is_sigbus() {
    in_child(|| {
        let world = world(2);
        world.file("f", &pattern(2 * page()));
        let mapping = world.map("f", &READ_WRITE);
        world.set_length("f", page());
        let at = page() + 8;
        for timeout in [Some(Duration::ZERO), Some(Duration::from_secs(1)), None] {
            assert_eq!(mapping.wait(at, 0, timeout), Err(Sigbus.into()));
        }
        assert_eq!(mapping.notify(at, 1), Err(Sigbus.into()));
        assert_eq!(world.usage.counters().faults_recovered, 4);
        assert_eq!(waits(&world.usage), 0);
    });
}

#[test]
fn a_page_that_goes_while_somebody_waits_ends_no_process() {
    in_child(|| {
        let world = world(1);
        let mapping = world.map("f", &READ_WRITE);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| mapping.wait(0, 0, Some(Duration::from_millis(200))));
            while waits(&world.usage) == 0 {
                std::thread::yield_now();
            }
            world.set_length("f", 0);
            assert_eq!(mapping.notify(0, 1), Err(Sigbus.into()));
            // It waits on a word that is not there any more, or has come too late for it.
            let waited = waiting.join().unwrap();
            assert!(waited == Ok(TimedOut) || waited == Err(Sigbus.into()), "{waited:?}");
        });
    });
}

#[test]
fn a_mapping_that_is_closed_while_it_is_waited_on_stays_mapped() {
    let world = world(1);
    let [one, other] = [READ_WRITE, READ_WRITE].map(|options| world.map("f", &options));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| one.wait(0, 0, None));
        while waits(&world.usage) == 0 {
            std::thread::yield_now();
        }
        one.close().unwrap();
        wake(&other, 0, 1);
        assert_eq!(waiting.join().unwrap(), Ok(Woken));
    });
}

const FILE: &str = "IOMMAP_TEST_WORDS_FILE";

#[test]
fn processes_wait_for_each_other_on_a_word() {
    const ROUNDS: u32 = 200;
    let world = world(1);
    let path = world.path("f");
    let mapping = world.map("f", &READ_WRITE);
    let prepare = |mut command: std::process::Command| {
        command.env(FILE, &path);
        command
    };
    // The child says an odd number and waits for the even one behind it.
    let mut heard = 0;
    let answer = || {
        let said = mapping.load::<u32>(0).unwrap();
        if said == 2 * heard + 1 {
            heard += 1;
            // It waits already, or finds the word changed.
            mapping.store(0, 2 * heard).unwrap();
            mapping.notify(0, 1).unwrap();
        } else {
            let waited = mapping.wait(0, said, Some(Duration::from_millis(20)));
            assert!(waited.is_ok(), "{waited:?}");
        }
    };
    iommap_child::in_child_while(prepare, answer, || {
        let path = std::env::var_os(FILE).unwrap();
        let mapping = Mapping::options().read(true).write(true).open(path).unwrap();
        for round in 0..ROUNDS {
            assert_eq!(mapping.change(0, Change::Add, 1_u32), Ok(2 * round));
            mapping.notify(0, 1).unwrap();
            while mapping.load(0) == Ok(2 * round + 1) {
                let waited = mapping.wait(0, 2 * round + 1, None).unwrap();
                assert!(matches!(waited, Woken | NotEqual), "it has no time: {waited:?}");
            }
        }
    })
    .assert_done();
    assert_eq!((heard, mapping.load(0)), (ROUNDS, Ok(2 * ROUNDS)));
}

#[test]
fn a_native_program_is_woken_by_a_mapping_and_wakes_one() {
    let world = world(1);
    let mapping = world.map("f", &READ_WRITE);
    let file = std::fs::File::options().read(true).write(true).open(world.path("f")).unwrap();
    // A map of its own, as any program may have.
    let map = memmap2::MmapRaw::map_raw(&file).unwrap();
    let futex = |operation: i32, number: u32| {
        // SAFETY: a word of a map that stays; no time is given.
        unsafe {
            let word = map.as_mut_ptr().add(16);
            libc::syscall(libc::SYS_futex, word, operation, number, std::ptr::null::<u8>())
        }
    };
    std::thread::scope(|scope| {
        let native = scope.spawn(|| futex(libc::FUTEX_WAIT, 0));
        wake(&mapping, 16, 1);
        assert_eq!(native.join().unwrap(), 0);

        let waiting = scope.spawn(|| mapping.wait(16, 0, None));
        while futex(libc::FUTEX_WAKE, 1) == 0 {
            std::thread::yield_now();
        }
        assert_eq!(waiting.join().unwrap(), Ok::<Waited, iommap::Error>(Woken));
    });
}
