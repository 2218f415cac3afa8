//! Guests that wait on a word and are to end: by their epoch, and by a future that is dropped.
#![cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use iommap::Mapping;
use iommap_tests::scene::{Guest, Kind, Scene, assert_all_returned, cache};
use tokio::runtime::{Builder, Runtime};
use wasmtime::{Config, Engine, Trap};

use crate::locks_ending::{Timed, begin};

/// Wakes one who waits, or is about to.
fn wake(mapping: &Mapping) {
    while mapping.notify(0, 1).unwrap() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_guest_that_waits_on_a_word_ends_with_its_epoch() {
    let mut config = Config::new();
    config.epoch_interruption(true).cache(Some(cache()));
    let engine = Engine::new(&config).unwrap();
    for is_async in [false, true] {
        let scene = Scene::new(Kind::Sync);
        scene.write("f", [0; 64]);
        let mut waiting = Timed::new(&engine, &scene, is_async);
        assert_eq!(waiting.step("open m /data/f read-write").unwrap(), "ok");
        let (usage, ended) = (waiting.usage.clone(), AtomicBool::new(false));
        let trap = thread::scope(|scope| {
            scope.spawn(|| {
                while usage.counters().word_waits < 3 {
                    thread::sleep(Duration::from_millis(1));
                }
                assert!(!ended.load(SeqCst), "it waits until it is ended");
                engine.increment_epoch();
            });
            let trap = waiting.step("wait-word m 0 0 -").unwrap_err();
            ended.store(true, SeqCst);
            trap
        });
        assert_eq!(trap.downcast_ref(), Some(&Trap::Interrupt), "{trap:?}");
        drop(waiting);
        assert_all_returned(&usage);
        assert_eq!(usage.counters().waiters, 0);
    }
}

/// The kinds of stores whose guests wait as tasks, with a guest each and a mapping of its file. The
/// executor has one thread and no timers.
fn on_one_thread(story: impl Fn(Guest, Mapping, &Runtime)) {
    for kind in [Kind::Async, Kind::Offloading] {
        let scene = Scene::new(kind);
        scene.write("f", [0; 64]);
        let mut guest = scene.viewer(scene.grant().max_waiters(1));
        guest.play("open m /data/f read-write -> ok");
        let native = Mapping::options().read(true).write(true).open(scene.path("f")).unwrap();
        story(guest, native, &Builder::new_current_thread().build().unwrap());
    }
}

#[test]
fn a_task_that_waits_on_a_word_holds_no_thread_of_the_executor() {
    on_one_thread(|guest, native, runtime| {
        let usage = guest.usage();
        let mut call = Box::pin(guest.into_call("wait-word m 0 0 -"));
        assert!(begin(runtime, &mut call).is_none(), "it waits");
        // And still does when some stretches have gone by.
        runtime.block_on(async {
            while usage.counters().word_waits < 4 {
                poll_fn(|context| match call.as_mut().poll(context) {
                    Poll::Ready(_) => panic!("nobody notified"),
                    Poll::Pending => Poll::Ready(()),
                })
                .await;
                tokio::task::spawn_blocking(|| thread::sleep(Duration::from_millis(10)))
                    .await
                    .unwrap();
            }
        });
        thread::scope(|scope| {
            scope.spawn(|| wake(&native));
            assert_eq!(runtime.block_on(call).unwrap(), "ok woken");
        });
        assert_eq!(usage.counters().waiters, 0);
    });
}

#[test]
fn a_dropped_wait_is_over_after_a_stretch() {
    on_one_thread(|guest, native, runtime| {
        let usage = guest.usage();
        let mut call = Box::pin(guest.into_call("wait-word m 0 0 -"));
        assert!(begin(runtime, &mut call).is_none(), "it waits");
        assert_eq!(usage.counters().waiters, 1);
        runtime.block_on(async { drop(call) });
        assert_all_returned(&usage);
        // Its thread comes back by itself.
        while usage.counters().waiters > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!((native.notify(0, 1), usage.counters().word_waits), (Ok(0), 1));
    });
}
