//! One mapping, many threads. Nothing here waits for time to pass: each thread does a number of
//! things, and all of them together have to come to their end.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Advice, Error, Mapping, Range, SyncMode};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

/// Did it succeed, or fail for this reason?
fn fine_or(result: &Result<(), Error>, kind: ErrorKind) -> bool {
    result.as_ref().err().is_none_or(|error| *error == kind)
}

#[test]
fn the_types_may_be_sent_and_shared() {
    fn sent_and_shared<T: Send + Sync>() {}
    sent_and_shared::<Mapping>();
    sent_and_shared::<iommap::Usage>();
    sent_and_shared::<iommap::Grants>();
}

#[test]
fn no_read_sees_half_a_write() {
    const RECORD: u64 = 200;
    const ROUNDS: u64 = 2_000;
    bounded(|| {
        let world = World::new();
        world.file("f", &vec![1; 4 * page() as usize]);
        let mapping = world.map("f", &READ_WRITE);
        // One record inside a page and one across a border.
        let places = [500, page() - RECORD / 2];
        thread::scope(|scope| {
            for writer in 0..3 {
                let mapping = &mapping;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let value = ((round * 3 + writer) % 255 + 1) as u8;
                        let place = places[(round % 2) as usize];
                        mapping.pwrite(place, &[value; RECORD as usize]).unwrap();
                    }
                });
            }
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 0..ROUNDS {
                        let mut record = [0; RECORD as usize];
                        mapping.pread(places[(round % 2) as usize], &mut record).unwrap();
                        assert!(record.iter().all(|byte| *byte == record[0] && *byte != 0));
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..ROUNDS / 100 {
                    mapping.sync(SyncMode::Async).unwrap();
                    mapping.sync_range(1, page(), SyncMode::Sync).unwrap();
                    mapping.advise(0, 0, Advice::DontNeed).unwrap();
                    mapping.advise(0, 0, Advice::WillNeed).unwrap();
                }
            });
        });
        let counted = world.usage.counters();
        assert_eq!(counted.bytes_written, 3 * ROUNDS * RECORD);
        assert_eq!(counted.bytes_read, 3 * ROUNDS * RECORD);
    });
}

#[test]
fn batches_on_many_threads_are_each_whole() {
    bounded(|| {
        let world = World::new();
        world.file("f", &vec![1; 4 * page() as usize]);
        let mapping = world.map("f", &READ_WRITE);
        let ranges = [0, 1, 2, 3].map(|at| Range { offset: at * page() + 7, length: 50 });
        thread::scope(|scope| {
            for thread in 0..2u8 {
                let (mapping, ranges) = (&mapping, &ranges);
                scope.spawn(move || {
                    for round in 0..1_000u32 {
                        let value = (round % 100) as u8 + 100 * thread + 1;
                        mapping.pwrite_many(ranges, &[value; 200]).unwrap();
                    }
                });
                scope.spawn(move || {
                    for _ in 0..1_000 {
                        let mut target = [0; 200];
                        mapping.pread_many(ranges, &mut target).unwrap();
                        assert!(target.iter().all(|byte| *byte == target[0] && *byte != 0));
                    }
                });
            }
        });
        assert_eq!(world.usage.counters().bytes_read, 2 * 1_000 * 200);
    });
}

#[test]
fn a_new_length_under_readers_and_writers_loses_no_page() {
    in_child(|| {
        bounded(|| {
            let world = World::new();
            let (small, large) = (2 * page(), 64 * page());
            world.file("f", &vec![7; small as usize]);
            let mapping = world.map("f", &READ_WRITE);
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                for offset in [0, small - 2, small, 40 * page() + 9, large - 4] {
                    let (mapping, done) = (&mapping, &done);
                    scope.spawn(move || {
                        let mut result = Ok(());
                        while !done.load(Relaxed) && fine_or(&result, OutOfBounds) {
                            let mut target = [0; 4];
                            result = mapping.pread(offset, &mut target);
                            if result.is_ok() {
                                assert!(target.iter().all(|byte| matches!(byte, 0 | 7)));
                                result = mapping.pwrite(offset + 2, &target[2..]);
                            }
                        }
                        assert!(fine_or(&result, OutOfBounds), "{result:?}");
                    });
                }
                for _ in 0..500 {
                    mapping.set_len(large).unwrap();
                    assert_eq!(mapping.len(), Ok(large));
                    mapping.set_len(small).unwrap();
                    assert_eq!(mapping.len(), Ok(small));
                }
                done.store(true, Relaxed);
            });
            assert_same!(world.contents("f"), vec![7; small as usize]);
            let counted = world.usage.counters();
            assert_eq!((counted.mapped_bytes, counted.faults_recovered), (small, 0));
        });
    });
}

#[test]
fn new_lengths_on_many_threads_leave_file_and_mapping_equal() {
    bounded(|| {
        let world = World::new();
        let mapping = world.map("f", &CREATE.size(1));
        thread::scope(|scope| {
            for thread in 1..=4 {
                let mapping = &mapping;
                scope.spawn(move || {
                    for round in 0..100 {
                        mapping.set_len((thread * 37 + round) % 5 * page() + thread).unwrap();
                    }
                });
            }
        });
        let size = mapping.len().unwrap();
        assert_eq!(world.length("f"), size);
        assert_eq!(world.usage.counters().mapped_bytes, size);
        assert_eq!(mapped_ranges(&world.path("f")), 1);
    });
}

#[test]
fn a_close_while_others_work_is_closed_to_all_of_them() {
    in_child(|| {
        bounded(|| {
            let world = World::new();
            let path = world.file("f", &pattern(4 * page()));
            for _ in 0..50 {
                let mapping = world.map("f", &READ_WRITE);
                let start = Barrier::new(7);
                let closes = AtomicU64::new(0);
                let until_closed = |work: &dyn Fn() -> Result<(), Error>| {
                    start.wait();
                    let end = std::iter::repeat_with(work).find(|result| result.is_err());
                    assert_eq!(end, Some(Err(Closed.into())));
                };
                thread::scope(|scope| {
                    let (mapping, until_closed) = (&mapping, &until_closed);
                    scope.spawn(move || until_closed(&|| mapping.pread(0, &mut [0; 64])));
                    scope.spawn(move || until_closed(&|| mapping.pwrite(page(), &[1; 64])));
                    scope.spawn(move || until_closed(&|| mapping.sync(SyncMode::Async)));
                    scope.spawn(move || until_closed(&|| mapping.set_len(4 * page())));
                    scope.spawn(move || until_closed(&|| mapping.advise(0, 0, Advice::WillNeed)));
                    for _ in 0..2 {
                        scope.spawn(|| {
                            start.wait();
                            match mapping.close() {
                                Ok(()) => closes.fetch_add(1, Relaxed),
                                Err(error) => {
                                    assert_eq!(error, Closed);
                                    0
                                }
                            };
                        });
                    }
                });
                assert_eq!(closes.load(Relaxed), 1);
                assert_eq!(mapped_ranges(&path), 0);
                assert!(descriptors(&path).is_empty());
                world.assert_idle();
            }
            assert_eq!(world.length("f"), 4 * page());
        });
    });
}

#[test]
fn a_file_cut_and_regrown_under_threads_serves_on() {
    in_child(|| {
        bounded(|| {
            let world = World::new();
            world.file("f", &vec![7; 8 * page() as usize]);
            let mapping = world.map("f", &READ_WRITE);
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                for thread in 0..4 {
                    let (mapping, done) = (&mapping, &done);
                    scope.spawn(move || {
                        let mut target = vec![0; 3 * page() as usize];
                        let mut result = Ok(());
                        while !done.load(Relaxed) && fine_or(&result, Sigbus) {
                            result = mapping.pread((thread + 1) * page() + 5, &mut target);
                            if result.is_ok() {
                                assert!(target.iter().all(|byte| matches!(byte, 0 | 7)));
                                result = mapping.pwrite(thread * page(), &[7; 100]);
                            }
                        }
                        assert!(fine_or(&result, Sigbus), "{result:?}");
                    });
                }
                for round in 0..1_000 {
                    world.set_length("f", round % 5 * page() / 2);
                    world.set_length("f", 8 * page());
                }
                done.store(true, Relaxed);
            });
            assert_eq!(mapping.pread(0, &mut vec![0; 8 * page() as usize]), Ok(()));
            mapping.pwrite(8 * page() - 1, b"!").unwrap();
            assert_eq!(world.length("f"), 8 * page());
        });
    });
}

#[test]
fn threads_that_open_at_a_limit_never_pass_it() {
    bounded(|| {
        let limits = limits(|l| {
            l.mappings = 3;
            l.mapped_bytes = 250;
        });
        let world = World::limited(limits);
        world.file("f", &pattern(100));
        let opened = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        match world.open("f", &READ) {
                            Ok(mapping) => {
                                let used = world.usage.counters();
                                assert!(used.mappings <= 3 && used.mapped_bytes <= 250, "{used:?}");
                                assert_same!(all(&mapping), pattern(100));
                                opened.fetch_add(1, Relaxed);
                            }
                            Err(error) => assert_eq!(error, LimitExceeded),
                        }
                    }
                });
            }
        });
        world.assert_idle();
        assert_eq!(world.usage.counters().opened, opened.load(Relaxed));
        assert!(opened.load(Relaxed) > 0);
    });
}

#[test]
fn of_many_threads_creating_a_file_one_makes_it() {
    bounded(|| {
        let world = World::new();
        for round in 0..50 {
            let name = format!("f{round}");
            let made = AtomicU64::new(0);
            thread::scope(|scope| {
                for thread in 0..4 {
                    let (world, name, made) = (&world, &name, &made);
                    scope.spawn(move || {
                        let exclusive = thread % 2 == 0;
                        let options = CREATE.exclusive(exclusive).size(10);
                        match world.open(name, &options) {
                            Ok(mapping) => {
                                assert_eq!(mapping.len(), Ok(10));
                                made.fetch_add(u64::from(exclusive), Relaxed);
                            }
                            Err(error) => assert_eq!((error.kind(), exclusive), (Eexist, true)),
                        }
                    });
                }
            });
            assert!(made.load(Relaxed) <= 1);
            assert_eq!(world.length(&name), 10);
        }
    });
}
