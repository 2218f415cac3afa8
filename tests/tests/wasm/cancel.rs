//! Calls whose future is dropped while they wait: what has not begun never begins, and what has begun
//! ends before its store's usage does.

use std::fs;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{self, Sender};
use std::task::Poll;
use std::thread::sleep;
use std::time::{Duration, Instant};

use iommap::{Counters, FsPerms, IommapCtx, IommapCtxBuilder, Usage};
use iommap_tests::child::in_namespace;
use iommap_tests::fuse::{Fuse, Request};
use iommap_tests::scene::{Guest, Kind, Scene, assert_all_returned, pattern};
use tokio::runtime::{Builder, Runtime};

/// How long the file is, of which only the beginning is used.
const LENGTH: usize = 64 << 10;

/// Every call that waits on an async store. There is a mapping `m` and a descriptor `fd` of the file.
const CALLS: [&str; 11] = [
    "open n /data/f read-write truncate",
    "open n /data/f read-write - size=1000000",
    "map n fd read-write - size=1000000",
    "sync m sync",
    "sync-range m 0 8192 sync",
    "truncate m 100",
    "truncate m 1000000",
    "advise m 0 0 willneed",
    "allocate m 0 8192",
    "sync-entry m",
    "sync-all m",
];

/// Those that wait too where large transfers are to leave the executor's thread.
const TRANSFERS: [&str; 4] = [
    "pread m 0 8192",
    "pwrite m 0 fill:7:8192",
    "pread-many m 0+4096,8192+4096",
    "pwrite-many m 0+4096,8192+4096 fill:7:8192",
];

/// A guest that understands this call, with its mapping and descriptor.
fn guest(scene: &Scene, context: &mut IommapCtxBuilder, call: &str) -> Guest {
    let verb = call.split(' ').next().unwrap();
    let mut guest = match verb {
        "allocate" | "sync-entry" | "sync-all" => scene.viewer(context),
        _ => scene.guest_with(context),
    };
    if verb == "map" {
        guest.play("wasi-open fd /data/f read,write -> ok");
    }
    guest.play("open m /data/f read-write -> ok");
    guest
}

/// Each call on each kind of store on which it waits.
fn calls() -> impl Iterator<Item = (Kind, &'static str)> {
    let of = |kind| CALLS.into_iter().map(move |call| (kind, call));
    let transfers = TRANSFERS.into_iter().map(|call| (Kind::Offloading, call));
    of(Kind::Async).chain(of(Kind::Offloading)).chain(transfers)
}

/// A runtime with one thread for calls that wait, which is taken until the sender is dropped.
fn taken() -> (Runtime, Sender<()>) {
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (taken, wait) = mpsc::channel::<()>();
    let (begun, is_taken) = mpsc::channel();
    runtime.spawn_blocking(move || {
        begun.send(()).unwrap();
        wait.recv().unwrap_err();
    });
    is_taken.recv().unwrap();
    (runtime, taken)
}

/// What a call has come to by the time that it can't go on. `None` if it waits.
fn begin<F: Future>(runtime: &Runtime, call: &mut Pin<Box<F>>) -> Option<F::Output> {
    runtime.block_on(async {
        for _ in 0..100 {
            let state = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
            if let Poll::Ready(answer) = state {
                return Some(answer);
            }
            tokio::task::yield_now().await;
        }
        None
    })
}

#[test]
fn a_call_dropped_before_it_began_never_begins() {
    for (kind, command) in calls() {
        let scene = Scene::new(kind);
        scene.write("f", pattern(LENGTH));
        let guest = guest(&scene, &mut scene.grant(), command);
        let usage = guest.usage();
        let done = |counters: Counters| {
            (counters.opened, counters.bytes_read, counters.bytes_written, counters.refused)
        };
        let before = done(usage.counters());

        let (runtime, taken) = taken();
        let mut call = Box::pin(guest.into_call(command));
        assert!(begin(&runtime, &mut call).is_none(), "{command} does not wait ({kind:?})");
        runtime.block_on(async { drop(call) });
        // The one thread comes to whatever was left for it before it comes to this.
        drop(taken);
        runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();

        assert!(scene.read("f") == pattern(LENGTH), "{command} changed the file ({kind:?})");
        assert_eq!(scene.names(), ["f"]);
        assert_eq!(done(usage.counters()), before, "{command} ({kind:?})");
        assert_all_returned(&usage);
    }
}

#[test]
fn a_create_dropped_before_it_began_makes_no_file() {
    for kind in [Kind::Async, Kind::Offloading] {
        let scene = Scene::new(kind);
        let guest = scene.guest();
        let usage = guest.usage();
        let (runtime, taken) = taken();
        let mut call = Box::pin(guest.into_call("open n /data/new read-write create size=4096"));
        assert!(begin(&runtime, &mut call).is_none());
        runtime.block_on(async { drop(call) });
        drop(taken);
        runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
        assert_eq!(scene.names(), [""; 0]);
        assert_all_returned(&usage);
    }
}

#[test]
fn a_call_dropped_at_work_ends_before_its_usage() {
    in_namespace(|| {
        let mut fuse = match Fuse::mount(LENGTH) {
            Ok(fuse) => fuse,
            Err(why) => return eprintln!("skipped: no file system that waits: {why}"),
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        for (kind, command) in calls() {
            // What the file system is asked for in the middle of it.
            let request = match command.split(' ').next().unwrap() {
                "open" if command.ends_with("truncate") => Request::Setattr,
                // It may be for blocks or for a length, depending on what this kernel can.
                "open" => Request::Open,
                "truncate" if command.ends_with(" 100") => Request::Setattr,
                "sync" | "sync-range" | "sync-all" => Request::Write,
                "sync-entry" => Request::Fsyncdir,
                "allocate" => Request::Fallocate,
                "pread" | "pwrite" | "pread-many" | "pwrite-many" => Request::Read,
                // `willneed` waits for nobody here, and neither does what is left.
                _ => continue,
            };
            let scene = Scene::new(kind);
            let mut builder = IommapCtx::builder();
            builder.preopened_dir(fuse.directory(), "/data", FsPerms::ReadWrite).unwrap();
            let mut guest = guest(&scene, &mut builder, command);
            if request == Request::Write {
                guest.play("pwrite m 0 hex:01010101 -> ok");
            }
            let usage = guest.usage();

            fuse.hold(request);
            let task = runtime.spawn(guest.into_call(command));
            fuse.wait_for_one();
            task.abort();
            let ending = std::thread::spawn({
                let handle = runtime.handle().clone();
                move || handle.block_on(task).map(drop)
            });
            // It may wait for the work, or leave it behind: then what the work uses is still counted.
            let patience = Instant::now() + Duration::from_millis(200);
            while !ending.is_finished() && Instant::now() < patience {
                sleep(Duration::from_millis(1));
            }
            let used = usage.counters();
            assert!(
                used.mappings > 0 || command.starts_with("open"),
                "{command} ({kind:?}): {used:?}"
            );

            fuse.release();
            assert!(ending.join().unwrap().unwrap_err().is_cancelled());
            returned(&usage, command);
            // Nothing comes afterwards.
            let (length, writes) = (fuse.length(), fuse.count(Request::Write));
            runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
            assert_eq!((fuse.length(), fuse.count(Request::Write)), (length, writes));
            restore(&fuse.directory().join("f"));
        }
    });
}

/// Waits until a store has nothing in use.
fn returned(usage: &Usage, command: &str) {
    let patience = Instant::now() + Duration::from_secs(60);
    while usage.counters().mappings > 0 {
        assert!(Instant::now() < patience, "{command}: {:?}", usage.counters());
        sleep(Duration::from_millis(1));
    }
    assert_all_returned(usage);
}

fn restore(file: &Path) {
    fs::write(file, pattern(LENGTH)).unwrap();
}

#[test]
fn large_transfers_leave_the_executors_thread() {
    for command in TRANSFERS.into_iter().chain([
        // Few bytes, each of a page of its own.
        "pread-many m 0+1,4096+1,8192+1,12288+1,16384+1,20480+1,24576+1,28672+1,32768+60",
    ]) {
        let scene = Scene::new(Kind::Offloading);
        scene.write("f", pattern(LENGTH));
        let mut guest = scene.guest();
        guest.play("open m /data/f read-write -> ok");
        let (runtime, taken) = taken();
        let mut call = Box::pin(guest.into_call(command));
        assert!(begin(&runtime, &mut call).is_none(), "{command} stays on the executor's thread");
        drop(taken);
        let answer = runtime.block_on(call).unwrap();
        assert!(answer.starts_with("ok"), "{command}: {answer}");
    }
}

#[test]
fn small_transfers_stay_on_the_executors_thread() {
    for command in [
        "pread m 100 64",
        "pwrite m 100 fill:7:64",
        // Each range counts for a page.
        "pread-many m -",
        "pwrite-many m - hex:",
    ] {
        let scene = Scene::new(Kind::Offloading);
        scene.write("f", pattern(LENGTH));
        let mut guest = scene.guest();
        guest.play("open m /data/f read-write -> ok");
        let (runtime, _taken) = taken();
        let mut call = Box::pin(guest.into_call(command));
        let answer = begin(&runtime, &mut call);
        let answer = answer.unwrap_or_else(|| panic!("{command} waits")).unwrap();
        assert!(answer.starts_with("ok"), "{command}: {answer}");
    }
}

#[test]
fn what_is_asked_of_changes_leaves_the_executors_thread_likewise() {
    for (kind, command, waits) in [
        (Kind::Offloading, "read-up-to m 0 8192", true),
        (Kind::Offloading, "read-strict m 0 8192", true),
        (Kind::Offloading, "file-len m", true),
        (Kind::Async, "file-len m", true),
        (Kind::Offloading, "read-up-to m 100 64", false),
        // So few there are.
        (Kind::Offloading, "read-up-to m 65530 8192", false),
        (Kind::Offloading, "read-strict m 100 64", false),
        (Kind::Async, "read-strict m 0 8192", false),
    ] {
        let scene = Scene::new(kind);
        scene.write("f", pattern(LENGTH));
        let mut guest = scene.viewer(scene.grant().max_watches(1));
        guest.play("open m /data/f read -> ok");
        let usage = guest.usage();
        let (runtime, taken) = taken();
        let mut call = Box::pin(guest.into_call(command));
        let begun = begin(&runtime, &mut call);
        assert_eq!(begun.is_none(), waits, "{command} ({kind:?})");
        drop(taken);
        let answer = begun.unwrap_or_else(|| runtime.block_on(call)).unwrap();
        let bytes = match command.split(' ').collect::<Vec<_>>()[..] {
            ["read-up-to", _, "65530", _] => 6,
            [_, _, _, length] => length.parse().unwrap(),
            _ => 0,
        };
        assert!(answer.starts_with("ok"), "{command}: {answer}");
        assert_eq!(usage.counters().bytes_read, bytes, "{command} ({kind:?})");
    }
}
