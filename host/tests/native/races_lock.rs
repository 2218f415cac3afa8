//! One mapping, and threads that use it without a pause: nobody is kept out by the others.

use crate::support::*;
use iommap::Mapping;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

/// So much is copied by each call of those that make no pause, so that they are nearly always in one.
const LARGE: u64 = 1 << 20;

/// How many threads make no pause.
const BUSY: u64 = 3;

/// How many calls they make together before they give up.
const ENOUGH: u64 = 20_000;

/// How often somebody else wants something in between.
const TIMES: u64 = 50;

/// Does `seldom` on one thread beside threads that do `busy` without a pause, and tells how many
/// calls these had made when it had been done [`TIMES`] times.
fn calls_until_done(
    busy: impl Fn(&Mapping, u64, &mut [u8]) + Sync,
    seldom: impl Fn(&Mapping) + Sync,
) -> u64 {
    let world = World::new();
    let mapping = world.map("f", &CREATE.size(BUSY * LARGE));
    let (over, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..BUSY {
            let (mapping, busy, over, calls) = (&mapping, &busy, &over, &calls);
            scope.spawn(move || {
                let mut buffer = vec![1; LARGE as usize];
                while !over.load(Relaxed) && calls.load(Relaxed) < ENOUGH {
                    busy(mapping, thread * LARGE, &mut buffer);
                    calls.fetch_add(1, Relaxed);
                }
            });
        }
        while calls.load(Relaxed) < BUSY {
            thread::yield_now();
        }
        for _ in 0..TIMES {
            seldom(&mapping);
        }
        over.store(true, Relaxed);
        calls.load(Relaxed)
    })
}

#[test]
fn writers_without_a_pause_keep_no_reader_out() {
    bounded(|| {
        let calls = calls_until_done(
            |mapping, at, buffer| mapping.pwrite(at, buffer).unwrap(),
            |mapping| mapping.pread(LARGE - 4, &mut [0; 8]).unwrap(),
        );
        assert!(calls < ENOUGH, "{TIMES} reads were done when nobody wrote any more");
    });
}

#[test]
fn readers_without_a_pause_keep_no_writer_out() {
    bounded(|| {
        let calls = calls_until_done(
            |mapping, at, buffer| mapping.pread(at, buffer).unwrap(),
            |mapping| mapping.pwrite(LARGE - 4, &[2; 8]).unwrap(),
        );
        assert!(calls < ENOUGH, "{TIMES} writes were done when nobody read any more");
    });
}
