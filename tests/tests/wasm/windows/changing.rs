//! Why windows on files that change are behind an `unsafe` word: wasmtime believes that a guest's
//! memory stays as it is while a call reads it, and makes a `String` of what it has checked before.
//!
//! When these fail, wasmtime has changed, and the word may go: see `docs/windows-wasmtime.md`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use iommap::{FsPerms, Mapping};
use iommap_tests::Scene;
use iommap_tests::child::in_child;
use iommap_tests::scene::{Kind, page};
use iommap_tests::windows::{FREE, FROZEN, READ, UNIT, Windowed};

/// How many strings a guest tells at a time.
const STRINGS: u32 = 50;

/// So many times it is tried until it goes wrong.
const TIMES: u32 = 20_000;

/// Has guests tell strings from a window on a file that another thread changes over and over, until
/// the host has one that is not UTF-8. Returns how many it took.
fn strings_until_one_is_wrong(
    scene: &Scene,
    text: &[u8],
    change: impl Fn(&File) + Sync,
) -> Option<u64> {
    scene.write("f", text);
    let file = File::options().write(true).open(scene.path("f")).unwrap();
    let open = || {
        let mut guest = scene.windowed();
        loop {
            assert_eq!(guest.map("f", READ, 0), "ok");
            match guest.window(0, 0, text.len() as u64, FREE, 0) {
                "ok" => return guest,
                // It is cut at this moment.
                answer => assert_eq!(answer, "out-of-bounds"),
            }
            assert_eq!(guest.unmap(), "ok");
        }
    };
    let done = Done(AtomicBool::new(false));
    let mut strings = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is() {
                change(&file);
            }
        });
        let _done = Ends(&done);
        let mut guest = open();
        let heard = |guest: &Windowed| {
            let [strings, wrong] = [&guest.heard().strings, &guest.heard().wrong]
                .map(|number| number.load(Ordering::Relaxed));
            (strings, wrong)
        };
        let mut wrong = false;
        for _ in 0..TIMES {
            // What was lost is tried again.
            assert_eq!(guest.move_to(0, 0, text.len() as u64, 0), "ok");
            let told = guest.tell(FREE, text.len() as u64, STRINGS);
            wrong = heard(&guest).1 > 0;
            if wrong {
                break;
            }
            // It saw the change in time, and the guest has trapped.
            if told.is_err() {
                strings += heard(&guest).0;
                guest = open();
            }
        }
        strings += heard(&guest).0;
        wrong.then_some(strings)
    })
}

/// Whether a thread is to end.
struct Done(AtomicBool);

impl Done {
    fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Has it end, whatever becomes of the test.
struct Ends<'a>(&'a Done);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_file_that_is_written_makes_strings_that_are_not_utf8() {
    in_child(|| {
        let scene = Scene::new(Kind::Sync);
        let text = vec![b'a'; 16 << 10];
        let (good, evil) = ([b'a'; 4096], [0xff; 4096]);
        let strings = strings_until_one_is_wrong(&scene, &text, |file| {
            file.write_all_at(&evil, 4096).unwrap();
            file.write_all_at(&good, 4096).unwrap();
        });
        println!("{strings:?} strings until one was wrong");
        assert!(strings.is_some());
    });
}

#[test]
fn a_file_that_is_cut_makes_strings_that_are_not_utf8() {
    in_child(|| {
        let scene = Scene::new(Kind::Sync);
        // Each page ends in the middle of a character.
        let text = format!("x{}x", "é".repeat(8 * page() as usize / 2 - 1)).into_bytes();
        let last = text.len() as u64 - page();
        let strings = strings_until_one_is_wrong(&scene, &text, |file| {
            file.set_len(last).unwrap();
            file.write_all_at(&text[last as usize..], last).unwrap();
        });
        println!("{strings:?} strings until one was wrong");
        assert!(strings.is_some());
    });
}

#[test]
fn a_frozen_copy_stays_while_its_file_is_written() {
    in_child(|| {
        let scene = Scene::new(Kind::Sync);
        scene.write("f", vec![b'a'; UNIT as usize]);
        let file = File::options().read(true).write(true).open(scene.path("f")).unwrap();
        let mut context = scene.grant();
        context.max_windows(1).max_window_bytes(UNIT);
        context.share("/index", Mapping::frozen_copy(&file).unwrap(), FsPerms::ReadOnly);
        let mut guest = scene.windowed_with(&mut context);
        assert_eq!(guest.map_path("/index", READ, 0), "ok");
        assert_eq!(guest.window(0, 0, UNIT, FREE, FROZEN), "ok");
        let done = Done(AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.is() {
                    file.write_all_at(&[0xff; 4096], 4096).unwrap();
                    file.write_all_at(&[b'a'; 4096], 4096).unwrap();
                }
            });
            let _done = Ends(&done);
            guest.tell(FREE, 16 << 10, 2_000).unwrap();
        });
        let heard = guest.heard();
        assert_eq!(heard.strings.load(Ordering::Relaxed), 2_000);
        assert_eq!(heard.wrong.load(Ordering::Relaxed), 0);
    });
}
