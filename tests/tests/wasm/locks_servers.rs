//! Locks that a server grants, which does not answer.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use iommap::{FsPerms, IommapCtx, IommapCtxBuilder, Usage};
use iommap_tests::child::in_namespace;
use iommap_tests::fuse::{Fuse, Request};
use iommap_tests::scene::{Guest, Kind, Scene, assert_all_returned};
use tokio::runtime::{Builder, Runtime};

use crate::locks_ending::begin;

/// What asks the server, and for what.
const CALLS: [(&str, Request); 4] = [
    ("lock m 0 1 exclusive 0", Request::Setlk),
    ("lock m 0 1 shared -", Request::Setlk),
    ("unlock m 4 1", Request::Setlk),
    ("would-lock m 0 1 shared", Request::Getlk),
];

fn mounted() -> Option<Fuse> {
    let fuse = Fuse::mount(4096);
    fuse.map_err(|why| eprintln!("skipped: no file system that waits: {why}")).ok()
}

fn context(fuse: &Fuse) -> IommapCtxBuilder {
    let mut context = IommapCtx::builder();
    context.preopened_dir(fuse.directory(), "/data", FsPerms::ReadWrite).unwrap();
    context.max_locks(9);
    context
}

/// A guest that may have locks on the server's file.
fn guest(scene: &Scene, fuse: &Fuse) -> Guest {
    let mut guest = scene.viewer(&mut context(fuse));
    guest.play("open m /data/f read-write -> ok");
    guest
}

/// An executor of one thread, which has clocks.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn returned(usage: &Usage) {
    while usage.counters().mappings > 0 {
        thread::sleep(Duration::from_millis(1));
    }
    assert_all_returned(usage);
}

#[test]
fn a_lock_server_that_hangs_holds_no_executors_thread() {
    in_namespace(|| {
        let Some(mut fuse) = mounted() else { return };
        let runtime = runtime();
        for kind in [Kind::Async, Kind::Offloading] {
            let scene = Scene::new(kind);
            for (command, request) in CALLS {
                let mut guest = guest(&scene, &fuse);
                guest.play("lock m 4 1 exclusive 0 -> ok locked");
                let usage = guest.usage();
                fuse.hold(request);
                let call = guest.into_call(command);
                // Time goes on, and the one who waits does so no longer.
                let ended = runtime.block_on(async {
                    tokio::time::timeout(Duration::from_millis(50), call).await
                });
                assert!(ended.is_err(), "{command} ({kind:?}) is answered by nobody");
                fuse.wait_for_one();
                fuse.release();
                returned(&usage);
                // Nothing is left of it, at the server either.
                let mut other = self::guest(&scene, &fuse);
                other.play("lock m 0 0 exclusive 0 -> ok locked\nunlock m 0 0 -> ok");
            }
        }
    });
}

#[test]
fn an_answer_that_comes_late_is_the_calls() {
    in_namespace(|| {
        let Some(mut fuse) = mounted() else { return };
        let runtime = runtime();
        for kind in [Kind::Async, Kind::Offloading] {
            let scene = Scene::new(kind);
            for (command, request) in CALLS {
                let mut guest = guest(&scene, &fuse);
                guest.play("lock m 4 1 exclusive 0 -> ok locked");
                fuse.hold(request);
                let mut call = Box::pin(guest.into_call(command));
                assert!(begin(&runtime, &mut call).is_none(), "{command} ({kind:?})");
                fuse.wait_for_one();
                fuse.release();
                let answer: String = runtime.block_on(call).unwrap();
                assert!(answer.starts_with("ok"), "{command} ({kind:?}): {answer}");
                assert_ne!(answer, "ok busy");
            }
        }
    });
}

#[test]
fn without_a_runtime_the_call_itself_waits_for_the_server() {
    in_namespace(|| {
        let Some(fuse) = mounted() else { return };
        let scene = Scene::new(Kind::Async);
        for (command, _) in CALLS {
            let mut guest = guest(&scene, &fuse);
            guest.play("lock m 4 1 exclusive 0 -> ok locked");
            let mut call = pin!(guest.into_call(command));
            let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(answer) = polled else { panic!("{command} waits for nobody") };
            let answer = answer.unwrap();
            assert!(answer.starts_with("ok"), "{command}: {answer}");
        }
    });
}

#[test]
fn so_many_wait_for_lock_servers_and_who_tries_then_is_refused() {
    in_namespace(|| {
        let Some(mut fuse) = mounted() else { return };
        let (runtime, scene) = (runtime(), Scene::new(Kind::Async));
        let mut guests = (0..65).map(|_| guest(&scene, &fuse)).collect::<Vec<_>>();
        let mut last = guests.pop().unwrap();
        last.play("lock m 4 1 exclusive 0 -> ok locked");
        let usages = guests.iter().map(Guest::usage).collect::<Vec<_>>();
        fuse.hold(Request::Setlk);
        let mut calls = Vec::new();
        for guest in guests {
            let mut call = Box::pin(guest.into_call("lock m 0 1 shared 0"));
            assert!(begin(&runtime, &mut call).is_none(), "it waits");
            calls.push(call);
        }
        last.play("lock m 8 1 shared 0 -> err limit-exceeded");
        // Who waits is not refused: its turn is yet to come, and its time goes on from stretch to stretch.
        let started = Instant::now();
        last.play("lock m 8 1 shared 200 -> ok busy");
        assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
        // Nor is who gives something back, once the server says so.
        let mut unlock = Box::pin(last.into_call("unlock m 4 1"));
        assert!(
            begin(&runtime, &mut unlock).is_none(),
            "it waits for the server, and not for others"
        );
        // Who waits no longer leaves the thread behind.
        while fuse.count(Request::Setlk) < 66 {
            thread::sleep(Duration::from_millis(1));
        }
        runtime.block_on(async { drop(calls) });
        let more = guest(&scene, &fuse);
        let answer = runtime.block_on(more.into_call("lock m 0 1 shared 0")).unwrap();
        assert_eq!(answer, "err limit-exceeded");
        fuse.release();
        assert_eq!(runtime.block_on(unlock).unwrap(), "ok");
        usages.iter().for_each(|usage| returned(usage));
        let mut more = guest(&scene, &fuse);
        more.play("lock m 0 1 exclusive 0 -> ok locked");
    });
}
