//! Moves that fail, and moves of which only a part could be done: no byte of the guest's is lost.

use std::sync::Once;

use iommap::{FsPerms, Limits, Mapping, MappingHandle, OpenOptions, Usage};
use iommap_tests::child::{forbid, in_child};
use iommap_tests::on_each_store;
use iommap_tests::scene::{fnv, pattern};
use iommap_tests::windows::{FREE, READ, SHARED, UNIT, Windowed};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// The files' length, and that of the window.
const LENGTH: u64 = 8 * UNIT;

/// A guest with a private window on all of `f`, which it has written all over.
fn written(scene: &iommap_tests::Scene) -> (Windowed, u64) {
    scene.write("f", pattern(LENGTH as usize));
    let mut guest = scene.windowed();
    assert_eq!(guest.map("f", READ, 0), "ok");
    assert_eq!(guest.window(0, 0, LENGTH, FREE, 0), "ok");
    for at in (FREE..FREE + LENGTH).step_by(4096) {
        guest.store(at + 8, at);
    }
    let stored = guest.hash(FREE, LENGTH);
    assert_ne!(stored, fnv(&pattern(LENGTH as usize)));
    (guest, stored)
}

#[test]
fn a_move_that_is_refused_keeps_what_the_guest_stored() {
    on_each_store(|scene| {
        let (mut guest, stored) = written(scene);
        // A file that may be written by stores, until it is sealed: from then on the kernel maps it
        // nowhere for writing, which nobody but the kernel knows.
        let memory = memfd_create(c"test", MemfdFlags::ALLOW_SEALING).expect("a memory file");
        let memory = std::sync::Arc::new(std::fs::File::from(memory));
        memory.set_len(LENGTH).expect("a length");
        let mut limits = Limits::default();
        limits.windows = 1;
        let (usage, options) = (Usage::new(limits), OpenOptions::new().read(true).write(true));
        let mapping = Mapping::from_file(&memory, "m", FsPerms::ReadWrite, &usage, &options);
        guest.adopt(MappingHandle::from(mapping.expect("a mapping")));
        fcntl_add_seals(&memory, SealFlags::FUTURE_WRITE).expect("a seal");
        for length in [1, UNIT, LENGTH] {
            assert_eq!(guest.move_to(0, 0, length, SHARED), "eacces");
            assert_eq!(guest.hash(FREE, LENGTH), stored, "moved to {length} bytes");
            assert_eq!((guest.check(0), guest.usage().counters().window_bytes), ("ok", LENGTH));
        }
        assert_eq!((guest.move_to(0, UNIT, UNIT, 0), guest.load(FREE + 8)), ("ok", 0));
    });
}

#[test]
fn a_rest_that_can_not_be_taken_away_stays_the_windows() {
    in_child(|| {
        on_each_store(|scene| {
            let (mut guest, _) = written(scene);
            scene.write("g", pattern(LENGTH as usize + 1).split_off(1));
            assert_eq!(guest.unmap(), "ok");
            assert_eq!(guest.map("g", READ, 0), "ok");
            // The kernel maps nothing of the rest's length.
            static ONCE: Once = Once::new();
            let rest = LENGTH - 3 * UNIT;
            ONCE.call_once(|| forbid(libc::SYS_mmap, Some((1, rest)), libc::ENOMEM));
            assert_eq!(guest.move_to(0, UNIT, 3 * UNIT, 0), "ok");
            let shown = &scene.read("g")[UNIT as usize..][..3 * UNIT as usize];
            assert_eq!((guest.hash(FREE, 3 * UNIT), guest.check(0)), (fnv(shown), "ok"));
            // What was shown there before, and counts.
            let left = FREE + 3 * UNIT;
            assert_eq!((guest.load(left + 8), guest.load(left + 16) != 0), (left, true));
            assert_eq!(guest.usage().counters().window_bytes, LENGTH);
            // Either file may lose its pages.
            scene.cut("f", 0);
            assert_eq!((guest.load(left + 2 * UNIT), guest.check(0)), (0, "sigbus"));
            assert_eq!(guest.hash(FREE, 3 * UNIT), fnv(shown));
            scene.cut("g", 0);
            assert_eq!((guest.load(FREE), guest.check(0)), (0, "sigbus"));
            // It goes with the next move.
            scene.write("f", pattern(LENGTH as usize));
            assert_eq!((guest.unmap(), guest.map("f", READ, 0)), ("ok", "ok"));
            assert_eq!(guest.move_to(0, 0, UNIT, 0), "ok");
            assert_eq!((guest.load(left), guest.load(left + UNIT)), (0, 0));
            assert_eq!(guest.usage().counters().window_bytes, UNIT);
            assert_eq!(guest.close(0), "ok");
        });
    });
}
