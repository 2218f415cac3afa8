//! Locks that guests take, on every kind of store: against each other, and against native programs.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use iommap::{FsPerms, IommapCtxBuilder, Limits};
use iommap_tests::scene::{Guest, Scene, assert_all_returned, on_each_store};

/// The directory, and so many locks.
fn grant(scene: &Scene, locks: u64) -> IommapCtxBuilder {
    let mut context = scene.grant();
    context.max_locks(locks);
    context
}

/// A guest that has the file `f` mapped as `m`.
fn guest(scene: &Scene) -> Guest {
    let mut guest = scene.viewer(&mut grant(scene, 9));
    guest.play("open m /data/f read-write -> ok");
    guest
}

/// A scene's file, and two guests on it.
fn two(scene: &Scene) -> [Guest; 2] {
    scene.write("f", "contents");
    [guest(scene), guest(scene)]
}

/// Waits until a guest waits for a lock, and did not before.
fn until_it_waits(usage: &iommap::Usage, waits: u64) {
    while usage.counters().lock_waits < waits {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn guests_keep_each_other_out_by_ranges_and_modes() {
    on_each_store(|scene| {
        let [mut one, mut other] = two(scene);
        one.play(
            "
            lock m 0 10 exclusive 0            -> ok locked
            lock m 100 0 shared -              -> ok locked
            would-lock m 0 0 exclusive         -> ok true
            ",
        );
        other.play(
            "
            lock m 9 1 shared 0                -> ok busy
            lock m 9 1 shared 20               -> ok busy
            would-lock m 9 1 shared            -> ok false
            lock m 10 90 exclusive -           -> ok locked
            lock m 4000000000000 1 shared 0    -> ok locked
            lock m 4000000000000 1 exclusive 0 -> ok busy
            unlock m 0 0                       -> ok
            ",
        );
        one.play(
            "
            unlock m 3 4                       -> ok
            lock m 0 3 shared 0                -> ok locked
            ",
        );
        other.play(
            "
            lock m 3 4 exclusive 0             -> ok locked
            lock m 0 4 exclusive 0             -> ok busy
            lock m 0 4 shared 0                -> ok locked
            lock m 7 1 shared 0                -> ok busy
            ",
        );
        assert_eq!((one.counters().locks, other.counters().locks), (3, 2));
        let usages = [one.usage(), other.usage()];
        drop((one, other));
        usages.iter().for_each(|usage| assert_all_returned(usage));
    });
}

#[test]
fn whole_files_are_locked_as_std_does() {
    on_each_store(|scene| {
        let [mut one, mut other] = two(scene);
        one.play("lock-all m lock -> ok");
        other.play("lock-all m try_lock -> ok false\nlock-all m try_lock_shared -> ok false");
        one.play("lock-all m lock_shared -> ok");
        other.play("lock-all m try_lock_shared -> ok true\nlock-all m try_lock -> ok false");
        one.play("lock-all m unlock -> ok");
        other.play("lock-all m try_lock -> ok true\nlock-all m unlock -> ok");
        one.play("lock-all m try_lock -> ok true");
    });
}

#[test]
fn what_may_not_be_locked_is_refused_in_order() {
    on_each_store(|scene| {
        scene.write("f", "contents");
        let mut guest = guest(scene);
        guest.play(
            "
            open r /data/f read                -> ok
            open w /data/f write               -> ok
            open p /data/f read-write private  -> ok
            lock r 0 0 exclusive 0             -> err eacces
            would-lock r 0xffffffffffffffff 9 exclusive -> err eacces
            lock p 0 0 exclusive 0             -> err eacces
            lock w 0 0 shared 0                -> err eacces
            lock w 0 1 exclusive 0             -> ok locked
            lock r 0 1 shared 0                -> ok busy
            lock p 0 1 shared 0                -> ok busy
            lock r 1 1 shared 0                -> ok locked
            lock m 0xffffffffffffffff 1 shared 0 -> err badarg
            lock m 0x8000000000000000 0 shared 0 -> err badarg
            unlock m 0 0xffffffffffffffff      -> err badarg
            ",
        );
        let none = &mut scene.viewer(&mut scene.grant());
        none.play(
            "
            open m /data/f read-write          -> ok
            lock m 0 0 shared 0                -> err enotsup
            would-lock m 0 0 shared            -> err enotsup
            unlock m 0 0                       -> ok
            ",
        );
        assert_eq!(none.counters().refused, 0, "it was given none, and may ask");
    });
}

#[test]
fn thousands_of_locks_are_refused_by_the_limit() {
    on_each_store(|scene| {
        scene.write("f", "contents");
        let mut limits = Limits::default();
        limits.locks = 100;
        let mut guest = scene.viewer(scene.grant().limits(limits));
        guest.play("open m /data/f read-write -> ok\nopen n /data/f read-write -> ok");
        for n in 0..3000 {
            let (name, at) = (if n % 2 == 0 { "m" } else { "n" }, 2 * n);
            let answer = if n < 100 { "ok locked" } else { "err limit-exceeded" };
            guest.play(&format!("lock {name} {at} 1 shared 0 -> {answer}"));
        }
        assert_eq!((guest.counters().locks, guest.counters().peak_locks), (100, 100));
        guest.play("close m -> ok\nlock n 1000000 1 shared 0 -> ok locked");
        assert_eq!(guest.counters().locks, 51);
    });
}

#[test]
fn a_lock_goes_with_close_with_drop_and_with_the_store() {
    on_each_store(|scene| {
        let [mut one, mut other] = two(scene);
        for goes in ["close m", "drop m"] {
            one.play("lock m 0 0 exclusive 0 -> ok locked");
            other.play("lock m 5 1 shared 0 -> ok busy");
            one.play(&format!("{goes} -> ok"));
            other.play("lock m 5 1 exclusive 0 -> ok locked\nunlock m 0 0 -> ok");
            one.play("open m /data/f read-write -> ok");
        }
        one.play("lock m 0 0 exclusive 0 -> ok locked");
        let usage = one.usage();
        drop(one);
        other.play("lock m 5 1 exclusive 0 -> ok locked");
        assert_all_returned(&usage);
    });
}

#[test]
fn a_waiting_guest_has_what_another_gives_back() {
    on_each_store(|scene| {
        let [mut one, mut other] = two(scene);
        let usage = other.usage();
        for n in 1..=5 {
            one.play("lock m 0 0 exclusive 0 -> ok locked");
            thread::scope(|scope| {
                scope.spawn(|| {
                    other.play("lock m 5 1 shared - -> ok locked\nunlock m 0 0 -> ok");
                });
                until_it_waits(&usage, n);
                // Some stretches go by.
                thread::sleep(Duration::from_millis(if n == 1 { 170 } else { 1 }));
                one.play("unlock m 0 0 -> ok");
            });
        }
        assert_eq!((other.counters().locks_taken, other.counters().lock_waits), (5, 5));
    });
}

#[test]
fn a_wait_of_some_stretches_ends_when_its_time_is_over() {
    on_each_store(|scene| {
        let [mut one, mut other] = two(scene);
        one.play("lock m 0 0 exclusive 0 -> ok locked");
        other.play("lock m 0 0 shared 180 -> ok busy");
        assert_eq!(other.counters().lock_waits, 1);
        one.play("unlock m 0 0 -> ok");
        other.play("lock m 0 0 shared 180 -> ok locked");
    });
}

#[test]
fn two_stores_that_wait_for_each_other_are_told() {
    on_each_store(|scene| {
        let [mut one, mut other] = two(scene);
        one.play("lock m 0 1 exclusive 0 -> ok locked");
        other.play("lock m 1 1 exclusive 0 -> ok locked");
        // Whoever is told gives up, and the other goes on.
        let give_up = |guest: &mut Guest, wants: &str| {
            let answer = guest.step(wants);
            guest.play("unlock m 0 0 -> ok");
            answer
        };
        let (one_has, other_has) = thread::scope(|scope| {
            let one = scope.spawn(|| give_up(&mut one, "lock m 1 1 shared -"));
            let other = give_up(&mut other, "lock m 0 1 exclusive -");
            (one.join().unwrap(), other)
        });
        let mut both = [&*one_has, &*other_has];
        both.sort_unstable();
        assert_eq!(both, ["ok deadlock", "ok locked"]);
        assert_eq!(one.counters().lock_deadlocks + other.counters().lock_deadlocks, 1);
    });
}

#[test]
fn a_circle_of_stores_and_one_store_alone_are_told() {
    on_each_store(|scene| {
        scene.write("f", "contents");
        // Each has its own byte and wants that of the next.
        let mut guests = [0, 1, 2].map(|n| {
            let mut guest = guest(scene);
            guest.play(&format!("lock m {n} 1 shared 0 -> ok locked"));
            guest
        });
        let answers = thread::scope(|scope| {
            let asks = guests.iter_mut().zip([1, 2, 0]).map(|(guest, wants)| {
                scope.spawn(move || {
                    let answer = guest.step(&format!("lock m {wants} 1 exclusive -"));
                    guest.play("unlock m 0 0 -> ok");
                    answer
                })
            });
            let asks: Vec<_> = asks.collect();
            asks.into_iter().map(|ask| ask.join().unwrap()).collect::<Vec<_>>()
        });
        let told = answers.iter().filter(|answer| *answer == "ok deadlock").count();
        assert_eq!(told, 1, "{answers:?}");

        let [one, other, _] = &mut guests;
        one.play(
            "
            open n /data/f read-write   -> ok
            lock m 0 0 exclusive 0      -> ok locked
            lock n 0 1 shared 0         -> ok busy
            lock n 0 1 shared -         -> ok deadlock
            lock n 0 1 shared 100000    -> ok deadlock
            ",
        );
        // Two that have it shared and want it alone.
        one.play("lock m 0 0 shared 0 -> ok locked");
        other.play("lock m 0 0 shared 0 -> ok locked");
        let answers = thread::scope(|scope| {
            let asks = [one, other].map(|guest| {
                scope.spawn(|| {
                    let answer = guest.step("lock m 0 0 exclusive -");
                    guest.play("unlock m 0 0 -> ok");
                    answer
                })
            });
            asks.map(|ask| ask.join().unwrap())
        });
        assert!(answers.contains(&"ok deadlock".into()), "{answers:?}");
        assert!(answers.contains(&"ok locked".into()), "{answers:?}");
    });
}

#[test]
fn who_waits_alone_comes_before_those_who_come_later_and_share() {
    on_each_store(|scene| {
        let [mut writer, mut again] = two(scene);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                let mut reader = guest(scene);
                let done = &done;
                scope.spawn(move || {
                    // With three of them there is hardly a moment without one.
                    while !done.load(SeqCst) {
                        reader.play("lock m 0 0 shared - -> ok locked");
                        thread::sleep(Duration::from_millis(3));
                        reader.play("unlock m 0 0 -> ok");
                    }
                });
            }
            for _ in 0..10 {
                writer.play("lock m 0 0 exclusive - -> ok locked\nunlock m 0 0 -> ok");
            }
            done.store(true, SeqCst);
        });
        // A reader that has a lock already does not wait for those who wait for it.
        again.play("open n /data/f read-write -> ok\nlock m 0 0 shared 0 -> ok locked");
        let (usage, waits) = (writer.usage(), writer.counters().lock_waits);
        thread::scope(|scope| {
            scope.spawn(|| writer.play("lock m 0 0 exclusive - -> ok locked"));
            until_it_waits(&usage, waits + 1);
            again.play("lock n 0 0 shared - -> ok locked\nclose n -> ok\nclose m -> ok");
        });
    });
}

#[test]
fn a_grant_for_reading_allows_locks_that_are_shared() {
    on_each_store(|scene| {
        let [mut writer, _] = two(scene);
        let mut context = scene.grant_as(FsPerms::ReadOnly);
        let mut reader = scene.viewer(context.max_locks(1));
        reader.play(
            "
            open m /data/f read                -> ok
            lock m 0 0 exclusive 0             -> err eacces
            lock m 0 0 shared 0                -> ok locked
            ",
        );
        writer.play("lock m 3 1 exclusive 0 -> ok busy\nlock m 3 1 shared 0 -> ok locked");
    });
}

#[test]
fn what_wasi_has_open_is_locked_by_each_mapping_of_it() {
    on_each_store(|scene| {
        scene.write("f", "contents");
        let mut guest = scene.viewer(&mut grant(scene, 9));
        guest.play(
            "
            file f /data/f read-write          -> ok
            map-open m f read-write            -> ok
            map-open n f read-write            -> ok
            lock m 0 0 exclusive 0             -> ok locked
            lock n 0 0 shared 0                -> ok busy
            file-drop f                        -> ok
            lock n 0 0 shared 0                -> ok busy
            close m                            -> ok
            lock n 0 0 exclusive 0             -> ok locked
            ",
        );
    });
}

#[cfg(target_os = "linux")]
#[test]
fn native_programs_with_posix_locks_keep_guests_out_and_are_kept_out() {
    use iommap_child::{Lock, Posix};
    use iommap_tests::child::in_child;
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", "contents");
            let mut native = Posix::start(&scene.path("f"));
            let mut guest = guest(scene);
            assert!(native.set(10, 10, Lock::Exclusive));
            guest.play(
                "
                lock m 15 1 shared 0           -> ok busy
                lock m 20 5 exclusive 0        -> ok locked
                would-lock m 0 0 shared        -> ok false
                ",
            );
            assert!(!native.set(0, 0, Lock::Shared) && native.set(10, 10, Lock::Shared));
            guest.play("lock m 15 1 shared 0 -> ok locked\nlock m 15 1 exclusive 0 -> ok busy");
            let usage = guest.usage();
            thread::scope(|scope| {
                scope.spawn(|| guest.play("lock m 0 0 exclusive - -> ok locked"));
                until_it_waits(&usage, 1);
                native.kill();
            });
            let mut native = Posix::start(&scene.path("f"));
            assert!(!native.set(7, 1, Lock::Shared));
            drop(guest);
            assert!(native.set(7, 1, Lock::Exclusive));
        });
    });
}
