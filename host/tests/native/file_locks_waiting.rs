//! Waiting for a lock: who is woken by whom.
#![cfg(target_os = "linux")]

use crate::file_locks::{has, range, world};
use crate::support::*;
use iommap::LockMode::{Exclusive, Shared};
use iommap_child::{Lock, Posix};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

#[test]
fn a_waiter_has_what_another_mapping_gives_back() {
    let world = world(9);
    world.file("f", b"contents");
    let [one, other] = [0; 2].map(|_| world.map("f", &READ_WRITE));
    for n in 0..50 {
        assert!(has(&one, 0, 0, Exclusive));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| other.lock(range(3, 1), Shared, None));
            while n % 2 == 0 && world.usage.counters().lock_waits <= n / 2 {
                thread::yield_now();
            }
            // By giving back, or by keeping others out no longer.
            match n % 3 {
                0 => one.unlock(range(0, 4)).unwrap(),
                1 => assert!(has(&one, 3, 0, Shared)),
                _ => one.unlock(range(0, 0)).unwrap(),
            }
            assert!(waiting.join().unwrap().unwrap());
        });
        one.unlock(range(0, 0)).unwrap();
        other.unlock(range(0, 0)).unwrap();
    }
    drop((one, other));
    world.assert_idle();
}

#[test]
fn a_waiter_has_what_a_closed_mapping_had() {
    let world = world(9);
    world.file("f", b"contents");
    let other = world.map("f", &READ_WRITE);
    for closes in [true, false] {
        let one = world.map("f", &READ_WRITE);
        assert!(has(&one, 0, 0, Exclusive));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| other.lock(range(3, 1), Exclusive, None));
            thread::sleep(Duration::from_millis(20));
            if closes {
                one.close().unwrap();
            }
            drop(one);
            assert!(waiting.join().unwrap().unwrap());
        });
        other.unlock(range(0, 0)).unwrap();
    }
}

#[test]
fn a_waiter_has_what_another_process_gives_back_or_dies_with() {
    in_child(|| {
        let world = world(9);
        let path = world.file("f", b"contents");
        let mut native = Posix::start(&path);
        let mapping = world.map("f", &READ_WRITE);
        assert!(native.set(0, 0, Lock::Exclusive));
        assert!(!mapping.lock(range(0, 0), Shared, Some(Duration::from_millis(30))).unwrap());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| mapping.lock(range(0, 0), Shared, None));
            thread::sleep(Duration::from_millis(20));
            assert!(!waiting.is_finished());
            assert!(native.set(0, 0, Lock::None));
            assert!(waiting.join().unwrap().unwrap());
        });
        mapping.unlock(range(0, 0)).unwrap();
        assert!(native.set(0, 0, Lock::Shared));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| mapping.lock(range(0, 0), Exclusive, None));
            thread::sleep(Duration::from_millis(20));
            assert!(!waiting.is_finished());
            native.kill();
            assert!(waiting.join().unwrap().unwrap());
        });
    });
}

#[test]
fn reads_go_on_while_a_thread_waits_by_the_same_mapping() {
    let world = world(9);
    world.file("f", b"contents");
    let [one, other] = [0; 2].map(|_| world.map("f", &READ_WRITE));
    assert!(has(&one, 0, 0, Exclusive));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| other.lock(range(0, 0), Exclusive, None));
        while world.usage.counters().lock_waits == 0 {
            thread::yield_now();
        }
        for _ in 0..1000 {
            assert_eq!(bytes(&other, 0, 8), b"contents");
            other.pwrite(0, b"contents").unwrap();
        }
        assert!(!waiting.is_finished());
        // Nobody can lock by a mapping that is closed meanwhile.
        other.close().unwrap();
        assert_eq!(waiting.join().unwrap().unwrap_err(), Closed);
    });
    drop((one, other));
    world.assert_idle();
}

#[test]
fn no_two_threads_are_ever_between_lock_and_unlock() {
    let world = world(9);
    world.file("f", b"contents");
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mapping = world.map("f", &READ_WRITE);
                for _ in 0..500 {
                    assert!(mapping.lock(range(0, 0), Exclusive, None).unwrap());
                    assert_eq!(inside.fetch_add(1, SeqCst), 0);
                    thread::yield_now();
                    inside.fetch_sub(1, SeqCst);
                    mapping.unlock(range(0, 0)).unwrap();
                }
            });
        }
    });
    let counters = world.usage.counters();
    assert_eq!(counters.locks_taken, 2000);
    world.assert_idle();
}
