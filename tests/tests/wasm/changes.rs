//! Guests that ask what has become of a file, map it anew, and wait for its changes, on every kind of
//! store.

use std::fs::{self, File};
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use std::time::{Duration, SystemTime};

use iommap::{FsPerms, IommapCtxBuilder, Mapping};
use iommap_tests::scene::{Guest, Kind, Scene, assert_all_returned, on_each_store, page, pattern};
use tokio::runtime::Builder;

/// The directory, and so many watches.
fn grant(scene: &Scene, watches: u64) -> IommapCtxBuilder {
    let mut context = scene.grant();
    context.max_watches(watches);
    context
}

/// A guest that has the file `f` mapped as `m`.
fn guest(scene: &Scene) -> Guest {
    scene.write("f", "contents");
    let mut guest = scene.viewer(&mut grant(scene, 1));
    guest.play("open m /data/f read -> ok");
    guest
}

/// Puts another file in the place of one.
fn replace(scene: &Scene, name: &str, content: &str) {
    scene.write("new", content);
    fs::rename(scene.path("new"), scene.path(name)).unwrap();
}

/// Waits until a guest waits.
fn until_it_waits(usage: &iommap::Usage) {
    while usage.counters().watches == 0 {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn guests_are_told_what_has_become_of_a_file() {
    on_each_store(|scene| {
        let mut guest = guest(scene);
        guest.play("changed m -> ok 8 -\nmodified m -> ok false\nfile-len m -> ok 8");
        scene.cut("f", 3);
        guest.play("changed m -> ok 3 shorter\nfile-len m -> ok 3");
        scene.cut("f", 9);
        guest.play("changed m -> ok 9 longer");
        let file = File::options().write(true).open(scene.path("f")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(7)).unwrap();
        guest.play("modified m -> ok true");
        replace(scene, "f", "another file");
        guest.play("changed m -> ok 9 longer,replaced");
        fs::remove_file(scene.path("f")).unwrap();
        guest.play("changed m -> ok 9 longer,gone\nremap m n -> err enoent");
        guest.play("close m -> ok");
        assert_all_returned(&guest.usage());
    });
}

#[test]
fn a_file_that_is_replaced_while_a_guest_reads_is_mapped_anew() {
    on_each_store(|scene| {
        let mut guest = guest(scene);
        guest.play("read-strict m 0 3 -> ok hex:636f6e");
        replace(scene, "f", "new contents");
        guest.play(
            "
            read-strict m 0 3 -> ok hex:636f6e
            changed m         -> ok 8 replaced
            remap m n         -> ok
            changed n         -> ok 12 -
            pread n 0 3       -> ok hex:6e6577
            pread m 0 3       -> ok hex:636f6e
            pwrite n 0 text:x -> err eacces
            close m           -> ok
            position n        -> ok 12
            ",
        );
        assert_eq!(guest.counters().mappings, 1);
    });
}

#[test]
fn a_strict_read_tells_of_a_cut_in_the_middle_of_a_page() {
    on_each_store(|scene| {
        let mut guest = guest(scene);
        let (page, bytes) = (page(), pattern(2 * page() as usize));
        scene.write("g", &bytes);
        guest.play("open g /data/g read -> ok");
        let end = page + 9;
        scene.cut("g", end);
        let nothing_lost = format!("pread g {} 8", end - 4);
        assert!(guest.step(&nothing_lost).ends_with("00000000"), "zeros, and no error");
        guest.play(&format!("read-strict g {} 8 -> err sigbus", end - 4));
        let there = guest.step(&format!("read-strict g {} 64", end - 64));
        assert_eq!(there, guest.step(&format!("pread g {} 64", end - 64)));
        guest.play(&format!(
            "
            read-strict g {end} 0         -> ok hex:
            read-strict g {end} 1         -> err sigbus
            read-strict g {page} {page}   -> err sigbus
            read-strict g {page} 99999999 -> err out-of-bounds
            "
        ));
        scene.cut("g", 2 * page);
        assert!(guest.step(&format!("read-strict g {page} {page}")).starts_with("ok "));
    });
}

#[test]
fn a_read_up_to_the_end_is_short_and_nothing_is_refused() {
    on_each_store(|scene| {
        scene.write("f", "contents");
        let mut guest = scene.viewer(grant(scene, 0).max_call_bytes(5));
        guest.play(
            "
            open m /data/f read              -> ok
            read-up-to m 0 3                 -> ok 3 hex:636f6e
            read-up-to m 0 20                -> ok 5 hex:636f6e7465
            read-up-to m 6 20                -> ok 2 hex:7473
            read-up-to m 8 20                -> ok 0 hex:
            read-up-to m 0xffffffffffffffff 9 -> ok 0 hex:
            read-end m 3                     -> ok hex:74656e7473
            ",
        );
        assert_eq!((guest.counters().refused, guest.counters().bytes_read), (0, 20));
        guest.play(
            "
            open w /data/f write             -> ok
            read-up-to w 99 0                -> err eacces
            ",
        );
    });
}

#[test]
fn a_guest_without_watches_learns_only_a_length_and_may_ask() {
    on_each_store(|scene| {
        scene.write("f", "contents");
        let mut guest = scene.viewer(&mut grant(scene, 0));
        guest.play(
            "
            open m /data/f read -> ok
            changed m           -> err enotsup
            file-len m          -> err enotsup
            read-strict m 9 0   -> err out-of-bounds
            read-strict m 0 1   -> err enotsup
            remap m n           -> err enotsup
            read-up-to m 7 9    -> ok 1 hex:73
            ",
        );
        // Who may change a file has it open.
        guest.play(
            "
            open w /data/f read-write -> ok
            changed w           -> err enotsup
            remap w n           -> err enotsup
            file-len w          -> ok 8
            read-strict w 0 1   -> ok hex:63
            ",
        );
        scene.cut("f", 3);
        guest.play("file-len w -> ok 3\nread-strict w 2 2 -> err sigbus");
        assert_eq!(guest.counters().refused, 2, "what is out of bounds, and what was cut off");
    });
}

#[test]
fn a_path_that_leads_outside_names_nothing() {
    on_each_store(|scene| {
        let mut guest = guest(scene);
        fs::remove_file(scene.path("f")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", scene.path("f")).unwrap();
        guest.play("changed m -> ok 8 gone\nremap m n -> err eacces");
        fs::remove_file(scene.path("f")).unwrap();
        std::os::unix::fs::symlink("/nothing/there", scene.path("f")).unwrap();
        guest.play("changed m -> ok 8 gone\nremap m n -> err eacces");
    });
}

#[test]
fn a_mapping_that_the_host_shares_anew_is_replaced() {
    on_each_store(|scene| {
        scene.write("one", "one");
        scene.write("two", "another");
        let share = |name: &str| {
            Mapping::options().read(true).lockable(true).open(scene.path(name)).unwrap()
        };
        let mut context = grant(scene, 1);
        context.share("/shared/it", share("one"), FsPerms::ReadOnly);
        let mut guest = scene.viewer(&mut context);
        guest.play("open m /shared/it read -> ok\nchanged m -> ok 3 -");
        guest.context().share("/shared/it", share("two"), FsPerms::ReadOnly);
        guest.play("changed m -> ok 3 replaced\nremap m n -> ok\nposition n -> ok 7");
    });
}

#[test]
fn a_guest_that_waits_is_told_of_a_change_or_that_there_was_none() {
    on_each_store(|scene| {
        let mut guest = guest(scene);
        guest.play("know m -> ok\nwait m 0 -> ok same\nwait m 120 -> ok same");
        let usage = guest.usage();
        let changes: [(&(dyn Fn() + Sync), &str); 3] = [
            (&|| scene.cut("f", 3), "ok 3 shorter"),
            (&|| replace(scene, "f", "new contents"), "ok 3 shorter,replaced"),
            (&|| fs::remove_file(scene.path("f")).unwrap(), "ok 3 shorter,gone"),
        ];
        for (change, told) in changes {
            thread::scope(|scope| {
                scope.spawn(|| {
                    until_it_waits(&usage);
                    change();
                });
                // What a cut does comes in two, its length and its time, and either is told first.
                let answer = guest.step("wait m -");
                assert_eq!(answer, told, "{:?}", scene.kind());
            });
            guest.play("know m -> ok");
        }
        assert_all_waits_are_over(&usage);
        guest.play("close m -> ok");
        assert_all_returned(&usage);
    });
}

fn assert_all_waits_are_over(usage: &iommap::Usage) {
    assert_eq!((usage.counters().watches, usage.counters().peak_watches), (0, 1));
}

#[test]
fn a_task_that_waits_for_a_change_holds_no_thread_and_ends_when_dropped() {
    for kind in [Kind::Async, Kind::Offloading] {
        let scene = Scene::new(kind);
        for changes in [true, false] {
            let runtime = Builder::new_current_thread().build().unwrap();
            let mut guest = guest(&scene);
            guest.play("know m -> ok");
            let usage = guest.usage();
            let mut call = Box::pin(guest.into_call("wait m -"));
            // The executor has one thread, and goes on with other work.
            runtime.block_on(async {
                while usage.counters().watches == 0 {
                    let state = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
                    assert!(state.is_pending(), "nothing has changed");
                    tokio::task::spawn_blocking(|| thread::sleep(Duration::from_millis(1)))
                        .await
                        .unwrap();
                }
            });
            if changes {
                scene.cut("f", 1);
                assert_eq!(runtime.block_on(call).unwrap(), "ok 1 shorter");
            } else {
                runtime.block_on(async { drop(call) });
                // A look that has begun ends on its thread, with the mapping.
                drop(runtime);
                assert_all_returned(&usage);
            }
        }
    }
}

#[test]
fn readers_go_on_while_a_file_is_replaced_again_and_again() {
    on_each_store(|scene| {
        let mut guest = guest(scene);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..200 {
                    replace(scene, "f", &"x".repeat(n % 17 + 1));
                }
                over.store(true, SeqCst);
            });
            let (mut now, mut next) = ("m", "n");
            loop {
                let last = over.load(SeqCst);
                let changed = guest.step(&format!("changed {now}"));
                assert!(changed.starts_with("ok "), "{changed}");
                if changed.ends_with("replaced") {
                    guest.play(&format!("remap {now} {next} -> ok\nclose {now} -> ok"));
                    (now, next) = (next, now);
                } else if last {
                    break;
                }
                let length = guest.step(&format!("position {now}"));
                let length = length.strip_prefix("ok ").unwrap();
                // Nobody cuts them: each file is whole for as long as it is mapped.
                let read = guest.step(&format!("read-strict {now} 0 {length}"));
                assert!(read.starts_with("ok hex:"), "{read}");
            }
            guest.play(&format!("position {now} -> ok 13"));
        });
    });
}
