//! What a guest sees in a window, and what becomes of what it stores there.

use iommap::{FsPerms, Mapping};
use iommap_tests::on_each_store;
use iommap_tests::scene::{assert_all_returned, fnv, page, pattern};
use iommap_tests::windows::{
    FREE, FROZEN, POPULATE, PRIVATE, READ, READ_WRITE, SHARED, TOKEN, UNIT, region_of,
};

/// A file's length that is on no page.
const LENGTH: usize = 5 * UNIT as usize + 4321;

fn word(bytes: &[u8], at: u64) -> u64 {
    u64::from_le_bytes(bytes[at as usize..][..8].try_into().unwrap())
}

#[test]
fn a_window_shows_the_files_bytes_until_it_is_closed() {
    on_each_store(|scene| {
        let bytes = pattern(LENGTH);
        scene.write("f", &bytes);
        let mut guest = scene.windowed();
        assert_eq!(guest.map("f", READ, 0), "ok");
        guest.fill(FREE, 7, 8 * UNIT);
        let length = LENGTH as u64 - UNIT;
        for options in [0, POPULATE] {
            assert_eq!(guest.window(0, UNIT, length, FREE, options), "ok");
            assert_eq!(guest.hash(FREE, length), fnv(&bytes[UNIT as usize..]));
            let used = guest.usage().counters();
            assert_eq!((used.windows, used.window_bytes), (1, length.next_multiple_of(page())));
            // Zeros to the end of the file's last page, and the guest's own memory behind it.
            let end = FREE + length.next_multiple_of(page());
            assert_eq!(guest.load(end - 8), 0);
            assert_eq!(guest.load(end), 0x0707_0707_0707_0707);
            assert_eq!(guest.load(FREE + region_of(length) - 8), TOKEN);
            assert_eq!(guest.check(0), "ok");

            assert_eq!(guest.close(0), "ok");
            assert_eq!((guest.load(FREE), guest.load(end - 8)), (0, 0));
            assert_eq!((guest.close(0), guest.check(0)), ("closed", "closed"));
            assert_eq!(guest.move_to(0, 0, 1, 0), "closed");
            assert_eq!(guest.prefetch(0, 0, 1), "closed");
            guest.release(0);
        }
        let usage = guest.usage();
        assert_eq!(usage.counters().windows, 0);
        drop(guest);
        assert_all_returned(&usage);
    });
}

#[test]
fn what_is_stored_in_a_window_stays_in_the_guest() {
    on_each_store(|scene| {
        let bytes = pattern(LENGTH);
        scene.write("f", &bytes);
        let mut guest = scene.windowed_with(
            scene
                .grant_windows()
                .preopened_dir(scene.directory(), "/ro", FsPerms::ReadOnly)
                .unwrap(),
        );
        assert_eq!(guest.map_path("/ro/f", READ, 0), "ok");
        assert_eq!(guest.window(0, 0, UNIT, FREE, 0), "ok");
        guest.store(FREE + 16, 1);
        guest.fill(FREE + 4096, 9, 10_000);
        guest.copy(FREE + 20_000, FREE + 16, 8);
        // Copied there by the host.
        assert_eq!(guest.pread(UNIT, 16, FREE + 30_000), "ok");
        assert_eq!((guest.load(FREE + 16), guest.load(FREE + 20_000)), (1, 1));
        assert_eq!(guest.load(FREE + 30_000), word(&bytes, UNIT));
        assert_eq!(guest.load(FREE + 40_000), word(&bytes, 40_000));
        assert_eq!(guest.check(0), "ok");
        assert!(scene.read("f") == bytes);
        // Moved, it is as good as new.
        assert_eq!(guest.move_to(0, 0, UNIT, 0), "ok");
        assert_eq!(guest.hash(FREE, UNIT), fnv(&bytes[..UNIT as usize]));
    });
}

#[test]
fn what_is_stored_in_a_shared_window_reaches_the_file() {
    on_each_store(|scene| {
        let bytes = pattern(LENGTH);
        scene.write("f", &bytes);
        let mut guest = scene.windowed();
        assert_eq!(guest.map("f", READ_WRITE, 0), "ok");
        assert_eq!(guest.window(0, UNIT, UNIT, FREE, SHARED | POPULATE), "ok");
        guest.store(FREE + 8, 77);
        assert_eq!(word(&scene.read("f"), UNIT + 8), 77);
        // What the mapping writes shows in the window, and the other way round.
        guest.store(FREE + 4 * UNIT, 78);
        assert_eq!(guest.pwrite(UNIT + 16, FREE + 4 * UNIT, 8), "ok");
        assert_eq!(guest.load(FREE + 16), 78);
        assert_eq!(guest.pread(UNIT + 8, 8, FREE + 4 * UNIT), "ok");
        assert_eq!(guest.load(FREE + 4 * UNIT), 77);
        // From the window to its own bytes in the file.
        assert_eq!(guest.pwrite(UNIT, FREE, 64), "ok");
        assert_eq!(guest.load(FREE + 8), 77);
    });
}

#[test]
fn a_window_moves_to_other_bytes_of_any_length() {
    on_each_store(|scene| {
        let bytes = pattern(LENGTH);
        scene.write("f", &bytes);
        scene.write("g", pattern(3 * UNIT as usize));
        let mut guest = scene.windowed();
        assert_eq!(guest.map("f", READ, 0), "ok");
        let region = 4 * UNIT;
        guest.store(FREE + region - 8, TOKEN);
        assert_eq!(guest.window_in(0, 0, 3 * UNIT, (FREE, region, TOKEN), 0), "ok");
        for (offset, length) in [(UNIT, 1), (2 * UNIT, 3 * UNIT + 5), (0, UNIT), (5 * UNIT, 4321)] {
            assert_eq!(guest.move_to(0, offset, length, 0), "ok");
            let shown = &bytes[offset as usize..][..length as usize];
            assert_eq!(guest.hash(FREE, length), fnv(shown), "{length} from {offset}");
            let span = length.next_multiple_of(page());
            assert_eq!((guest.load(FREE + span), guest.check(0)), (0, "ok"));
            assert_eq!(guest.usage().counters().window_bytes, span);
            assert_eq!(guest.load(FREE + region - 8), TOKEN);
        }
        // Of another file, and nothing is left of the first when it is gone.
        assert_eq!(guest.unmap(), "ok");
        assert_eq!(guest.move_to(0, 0, 1, 0), "closed");
        assert_eq!(guest.load(FREE), word(&bytes, 5 * UNIT), "it is as it was");
        assert_eq!(guest.map("g", READ, PRIVATE), "ok");
        assert_eq!(guest.move_to(0, UNIT, UNIT, POPULATE), "ok");
        assert_eq!(guest.load(FREE), word(&pattern(3 * UNIT as usize), UNIT));
    });
}

#[test]
fn a_window_needs_no_mapping_any_more() {
    on_each_store(|scene| {
        let bytes = pattern(LENGTH);
        scene.write("f", &bytes);
        let mut guest = scene.windowed();
        assert_eq!(guest.map("f", READ, 0), "ok");
        assert_eq!(guest.window(0, 0, UNIT, FREE, 0), "ok");
        assert_eq!(guest.unmap(), "ok");
        std::fs::remove_file(scene.path("f")).unwrap();
        assert_eq!(guest.hash(FREE, UNIT), fnv(&bytes[..UNIT as usize]));
        assert_eq!(guest.prefetch(0, 0, UNIT), "ok");
        assert_eq!(guest.prefetch(0, 17, 5000), "ok");
        assert_eq!(guest.prefetch(0, UNIT, 0), "ok");
        assert_eq!(guest.prefetch(0, UNIT, 1), "out-of-bounds");
        assert_eq!(guest.prefetch(0, u64::MAX, 2), "out-of-bounds");
        assert_eq!(guest.usage().counters().mappings, 0);
        guest.release(0);
        assert_eq!((guest.load(FREE), guest.usage().counters().windows), (0, 0));
    });
}

#[test]
fn a_window_stays_when_the_memory_grows() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH));
        let mut guest = scene.windowed();
        assert_eq!(guest.map("f", READ, 0), "ok");
        assert_eq!(guest.window(0, 0, UNIT, FREE, 0), "ok");
        assert_eq!(guest.grow(10_000), 512);
        assert_eq!(guest.hash(FREE, UNIT), fnv(&pattern(UNIT as usize)));
        // And one where there was no memory before.
        assert_eq!(guest.window(1, UNIT, UNIT, 512 * UNIT, 0), "ok");
        assert_eq!(guest.hash(512 * UNIT, UNIT), fnv(&pattern(LENGTH)[UNIT as usize..][..65536]));
        assert_eq!((guest.close(0), guest.close(1)), ("ok", "ok"));
    });
}

#[test]
fn guests_share_a_frozen_copy_without_any_unsafe_word() {
    on_each_store(|scene| {
        let bytes = pattern(LENGTH);
        scene.write("f", &bytes);
        let copy = Mapping::frozen_copy(&std::fs::File::open(scene.path("f")).unwrap()).unwrap();
        scene.write("f", "something else");
        let mut context = scene.grant();
        context.max_windows(4).max_window_bytes(16 << 20);
        context.share("/shared/index", copy, FsPerms::ReadOnly);
        let mut guests = [scene.windowed_with(&mut context), scene.windowed_with(&mut context)];
        drop(context);
        for guest in &mut guests {
            assert_eq!(guest.map_path("/shared/index", READ, 0), "ok");
            assert_eq!(guest.window(0, 0, LENGTH as u64, FREE, FROZEN), "ok");
            assert_eq!(guest.window(1, UNIT, UNIT, 8 * FREE, POPULATE), "ok");
            assert_eq!(guest.hash(FREE, LENGTH as u64), fnv(&bytes));
            guest.store(FREE, 5);
            assert_eq!(guest.move_to(1, 0, 2 * UNIT, 0), "badarg");
            assert_eq!(guest.move_to(1, 2 * UNIT, UNIT, FROZEN), "ok");
            assert_eq!(guest.load(8 * FREE), word(&bytes, 2 * UNIT));
        }
    });
}
