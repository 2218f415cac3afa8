//! Words that guests read and change at once, and wait on, on every kind of store.
#![cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]

use std::thread;
use std::time::Duration;

use iommap::{Counters, ErrorKind, FsPerms, Mapping, Waited};
use iommap_tests::child::in_child;
use iommap_tests::scene::{Guest, Scene, assert_all_returned, on_each_store, page};
use iommap_tests::windows::{FREE, READ_WRITE, SHARED, UNIT};

/// A guest that has the file `f` mapped as `m`, and may wait on its words.
fn guest(scene: &Scene) -> Guest {
    let mut guest = scene.viewer(scene.grant().max_waiters(1));
    guest.play("open m /data/f read-write -> ok");
    guest
}

/// A scene's file, of zeros, and two guests on it.
fn two(scene: &Scene) -> [Guest; 2] {
    scene.write("f", vec![0; 2 * page() as usize]);
    [guest(scene), guest(scene)]
}

#[test]
fn guests_agree_on_words_by_every_operation() {
    on_each_store(|scene| {
        let [mut one, mut other] = two(scene);
        one.play(
            "
            word m 64 8 store 6                      -> ok
            word m 64 8 sub 1                        -> ok 6
            word m 64 8 compare 6 9                  -> ok false 5
            word m 32 4 store 0xffffffff             -> ok
            ",
        );
        other.play(
            "
            word m 64 8 or 12                        -> ok 5
            word m 64 8 and 6                        -> ok 13
            word m 64 8 xor 5                        -> ok 4
            word m 64 8 compare 1 0x0807060504030201 -> ok true 1
            word m 32 4 add 3                        -> ok 4294967295
            word m 32 12 swap 7                      -> ok 134678021
            ",
        );
        one.play("word m 32 4 load -> ok 2\nword m 64 8 load -> ok 30132077057");
        assert_eq!(scene.read("f")[..16], [0, 0, 0, 0, 2, 0, 0, 0, 1, 2, 3, 4, 7, 0, 0, 0]);
    });
}

#[test]
fn what_may_not_be_done_to_a_word_is_refused_in_order() {
    on_each_store(|scene| {
        let [mut guest, _] = two(scene);
        guest.play(
            "
            open r /data/f read                -> ok
            open w /data/f write               -> ok
            open p /data/f read-write private  -> ok
            word r 64 8 load                   -> ok 0
            word r 64 1 store 1                -> err eacces
            word r 32 8 or 1                   -> err eacces
            word r 32 8 compare 0 1            -> err eacces
            notify r 8 1                       -> err eacces
            wait-word r 8 1 -                       -> ok not-equal
            wait-word w 8 1 -                       -> err eacces
            word w 32 8 load                   -> err eacces
            word w 32 8 swap 1                 -> err eacces
            word w 64 8 store 1                -> ok
            notify w 8 1                       -> ok 0
            word p 64 8 load                   -> ok 1
            word p 64 8 store 2                -> err eacces
            wait-word p 8 1 -                       -> err eacces
            notify p 8 1                       -> err eacces
            word m 32 2 load                   -> err badarg
            word m 64 4 add 1                  -> err badarg
            word m 32 0xfffffffffffffffc load  -> err out-of-bounds
            wait-word m 2 0 -                       -> err badarg
            wait-word m 0x100000000 0 -             -> err out-of-bounds
            ",
        );
        let none = &mut scene.viewer(&mut scene.grant_as(FsPerms::ReadOnly));
        none.play(
            "
            open m /data/f read                -> ok
            word m 64 8 load                   -> ok 1
            wait-word m 8 1 0                       -> err enotsup
            ",
        );
        assert_eq!(none.counters().refused, 0, "it was given none, and may ask");
        assert_eq!(guest.usage().refused(ErrorKind::Eacces), 10);
    });
}

#[test]
fn guests_that_add_to_one_word_lose_nothing() {
    const TIMES: u64 = 3000;
    on_each_store(|scene| {
        scene.write("f", [0; 64]);
        let mut guests = [(); 3].map(|()| guest(scene));
        let native = Mapping::options().read(true).write(true).open(scene.path("f")).unwrap();
        thread::scope(|scope| {
            for guest in &mut guests {
                scope.spawn(|| {
                    guest.play(&format!("count m 64 8 {TIMES} -> ok\ncount m 32 16 {TIMES} -> ok"));
                });
            }
            for _ in 0..TIMES {
                native.change(8, iommap::Change::Add, 1_u64).unwrap();
                native.change(16, iommap::Change::Add, 1_u32).unwrap();
            }
        });
        assert_eq!((native.load(8), native.load(16)), (Ok(4 * TIMES), Ok(4 * TIMES as u32)));
    });
}

#[test]
fn guests_take_turns_at_a_word_by_loads_alone() {
    on_each_store(|scene| {
        let [mut one, mut other] = two(scene);
        thread::scope(|scope| {
            scope.spawn(|| one.play("meet m 4096 50 0 -> ok"));
            other.play("meet m 4096 50 1 -> ok");
        });
        other.play("word m 64 4096 load -> ok 100");
        assert_eq!(one.counters().word_waits + other.counters().word_waits, 0);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_guest_with_a_window_takes_turns_with_one_that_calls() {
    on_each_store(|scene| {
        let [mut one, _] = two(scene);
        let mut other = scene.viewer(&mut scene.grant_windows());
        other.play(
            "
            open m /data/f read-write     -> ok
            window w m 0 4096 shared      -> ok
            store w 24 hex:0102030405060708 -> ok
            ",
        );
        one.play("word m 64 24 add 1 -> ok 578437695752307201");
        other.play("number w 24 -> ok 578437695752307202");
        thread::scope(|scope| {
            scope.spawn(|| one.play("meet m 64 50 0 -> ok"));
            other.play("take-turns w 64 50 1 -> ok");
        });
        one.play("word m 64 64 load -> ok 100");
        other.play("number w 64 -> ok 100");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn plain_stores_in_a_window_are_words_to_calls() {
    on_each_store(|scene| {
        let [mut calls, _] = two(scene);
        let mut windowed = scene.windowed();
        assert_eq!(windowed.map("f", READ_WRITE, 0), "ok");
        assert_eq!(windowed.window(0, 0, page(), FREE, SHARED), "ok");
        assert!(page() <= UNIT);
        for n in 1..50 {
            windowed.store(FREE + 8, n << 33 | n);
            calls.play(&format!("word m 64 8 add 1 -> ok {}", n << 33 | n));
            assert_eq!(windowed.load(FREE + 8), (n << 33 | n) + 1);
        }
    });
}

#[test]
fn a_lost_page_is_sigbus_by_every_operation_on_its_words() {
    in_child(|| {
        on_each_store(|scene| {
            let [mut guest, _] = two(scene);
            scene.cut("f", page());
            let lost = page() + 16;
            for bits in [32, 64] {
                for how in ["load", "store 1", "swap 1", "add 1", "sub 1", "and 1", "or 1", "xor 1"]
                {
                    guest.play(&format!("word m {bits} {lost} {how} -> err sigbus"));
                }
                guest.play(&format!("word m {bits} {lost} compare 0 1 -> err sigbus"));
            }
            guest.play(&format!(
                "wait-word m {lost} 0 - -> err sigbus\nnotify m {lost} 1 -> err sigbus"
            ));
            assert_eq!(guest.counters().faults_recovered, 20);
            guest.play("word m 64 16 add 1 -> ok 0\nwait-word m 16 0 - -> ok not-equal");
            assert_eq!(guest.counters().waiters, 0);
        });
    });
}

/// Wakes one who waits, or is about to.
fn wake(mapping: &Mapping, offset: u64) {
    while mapping.notify(offset, 1).unwrap() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_waiting_guest_is_woken_by_another_and_by_the_host() {
    on_each_store(|scene| {
        let [mut one, mut other] = two(scene);
        let native = Mapping::options().read(true).write(true).open(scene.path("f")).unwrap();
        let usage = other.usage();
        thread::scope(|scope| {
            scope.spawn(|| other.play("wait-word m 8 0 - -> ok woken"));
            // Some stretches go by.
            while usage.counters().word_waits < 4 {
                thread::sleep(Duration::from_millis(1));
            }
            wake(&native, 8);
        });
        thread::scope(|scope| {
            scope.spawn(|| other.play("wait-word m 8 0 60000 -> ok woken"));
            while one.step("notify m 8 1") != "ok 1" {}
        });
        // The other way to end: the word is changed first, so that nobody has to be there.
        thread::scope(|scope| {
            scope.spawn(|| assert!(other.step("wait-word m 8 0 -").starts_with("ok ")));
            one.play("word m 32 8 store 1 -> ok");
            assert!(one.step("notify m 8 1").starts_with("ok "));
        });
        other.play("wait-word m 8 1 120 -> ok timed-out\nwait-word m 8 0 120 -> ok not-equal");
        let Counters { waiters, peak_waiters, .. } = usage.counters();
        assert_eq!((waiters, peak_waiters), (0, 1));
        drop((one, other));
        assert_all_returned(&usage);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_guest_and_another_process_wait_for_each_other() {
    const FILE: &str = "IOMMAP_TEST_WORDS_FILE";
    const ROUNDS: u32 = 100;
    for kind in iommap_tests::scene::Kind::ALL {
        let scene = Scene::new(kind);
        scene.write("f", [0; 64]);
        let mut heard = 0;
        let path = scene.path("f");
        let prepare = |mut command: std::process::Command| {
            command.env(FILE, &path);
            command
        };
        // The process says an odd number and waits for the even one that the guest says.
        let mut made = None;
        let answer = || {
            let guest: &mut Guest = made.get_or_insert_with(|| guest(&scene));
            let now = 2 * heard;
            let waited = guest.step(&format!("wait-word m 8 {now} 20"));
            assert!(["ok woken", "ok not-equal", "ok timed-out"].contains(&&*waited), "{waited}");
            if guest.step("word m 32 8 load") == format!("ok {}", now + 1) {
                heard += 1;
                guest.play(&format!("word m 32 8 add 1 -> ok {}", now + 1));
                guest.step("notify m 8 1");
            }
        };
        iommap_child::in_child_while(prepare, answer, || {
            let path = std::env::var_os(FILE).unwrap();
            let mapping = Mapping::options().read(true).write(true).open(path).unwrap();
            for round in 0..ROUNDS {
                assert_eq!(mapping.change(8, iommap::Change::Add, 1_u32), Ok(2 * round));
                mapping.notify(8, 1).unwrap();
                while mapping.load(8) == Ok(2 * round + 1) {
                    let waited = mapping.wait(8, 2 * round + 1, None).unwrap();
                    assert!(waited != Waited::TimedOut);
                }
            }
        })
        .assert_done();
        assert_eq!((heard, scene.read("f")[8..12] == (2 * ROUNDS).to_le_bytes()), (ROUNDS, true));
    }
}
