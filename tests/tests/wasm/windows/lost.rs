//! Pages that a window loses: zeros to the region's end, a word to the guest, and the host goes on.

use std::fs::File;
use std::os::unix::fs::FileExt;

use iommap_tests::child::in_child;
use iommap_tests::scene::{assert_all_returned, fnv, page, pattern};
use iommap_tests::windows::{
    FREE, POPULATE, READ, READ_WRITE, SHARED, TOKEN, UNIT, Windowed, region_of,
};
use iommap_tests::{Scene, on_each_store};

const LENGTH: u64 = 4 * UNIT;

/// Where the token of a window of the whole file is.
const AT_TOKEN: u64 = FREE + 5 * UNIT - 8;

fn word(bytes: &[u8], at: u64) -> u64 {
    u64::from_le_bytes(bytes[at as usize..][..8].try_into().unwrap())
}

/// A guest with a window of the whole file, which then loses all but its first page.
fn cut(scene: &Scene, options: u32) -> Windowed {
    assert_eq!(FREE + region_of(LENGTH) - 8, AT_TOKEN);
    scene.write("f", pattern(LENGTH as usize));
    let mut guest = scene.windowed();
    assert_eq!(guest.map("f", READ_WRITE, 0), "ok");
    assert_eq!(guest.window(0, 0, LENGTH, FREE, options), "ok");
    assert_eq!(guest.hash(FREE, LENGTH), fnv(&pattern(LENGTH as usize)));
    scene.cut("f", page());
    assert_eq!((guest.check(0), guest.load(AT_TOKEN)), ("ok", TOKEN), "nothing was lost yet");
    guest
}

/// Fails unless the guest has lost pages from the second on, and can tell.
#[track_caller]
fn assert_lost(guest: &mut Windowed) {
    assert_eq!((guest.load(AT_TOKEN), guest.check(0)), (0, "sigbus"));
    assert_eq!(guest.load(FREE), word(&pattern(8), 0), "what is there still is");
    assert!(guest.usage().counters().window_faults > 0);
}

#[test]
fn a_load_from_a_lost_page_is_zeros_and_the_token_is_gone() {
    in_child(|| {
        on_each_store(|scene| {
            let mut guest = cut(scene, 0);
            assert_eq!(guest.load(FREE + 2 * UNIT), 0);
            assert_lost(&mut guest);
            assert_eq!(guest.usage().counters().window_faults, 1);
            // Before what was covered, and behind it.
            assert_eq!((guest.load(FREE + page()), guest.load(FREE + 3 * UNIT)), (0, 0));
            assert_eq!(guest.check(0), "sigbus");
            assert_eq!(guest.usage().counters().window_faults, 2);
        });
    });
}

#[test]
fn a_file_that_grows_back_is_seen_once_the_window_moves() {
    in_child(|| {
        on_each_store(|scene| {
            let mut guest = cut(scene, 0);
            for round in 0..20 {
                assert_eq!(guest.load(FREE + 2 * UNIT), 0);
                assert_lost(&mut guest);
                let file = File::options().write(true).open(scene.path("f")).unwrap();
                file.write_all_at(&pattern(LENGTH as usize), 0).unwrap();
                assert_eq!((guest.load(FREE + 2 * UNIT), guest.check(0)), (0, "sigbus"));
                guest.store(AT_TOKEN, TOKEN + round);
                let options = if round % 2 == 0 { 0 } else { POPULATE };
                assert_eq!(guest.move_to(0, 0, LENGTH, options), "ok");
                assert_eq!(guest.hash(FREE, LENGTH), fnv(&pattern(LENGTH as usize)));
                assert_eq!((guest.check(0), guest.load(AT_TOKEN)), ("ok", TOKEN + round));
                scene.cut("f", page());
            }
        });
    });
}

#[test]
fn copies_fills_and_strings_from_a_lost_page_go_on() {
    in_child(|| {
        on_each_store(|scene| {
            let mut guest = cut(scene, 0);
            guest.copy(8 * FREE, FREE, LENGTH);
            assert_eq!(guest.hash(8 * FREE, page()), fnv(&pattern(page() as usize)));
            assert_eq!(guest.load(8 * FREE + page()), 0);
            assert_lost(&mut guest);

            let mut guest = cut(scene, 0);
            guest.fill(FREE + UNIT, 65, 2 * UNIT);
            assert_eq!(guest.load(FREE + UNIT), u64::from_le_bytes([65; 8]));
            assert_lost(&mut guest);

            let mut guest = cut(scene, 0);
            guest.tell(FREE + UNIT, UNIT, 1).unwrap();
            assert_lost(&mut guest);
            assert_eq!(scene.read("f").len() as u64, page());
        });
    });
}

#[test]
fn a_call_that_moves_bytes_of_a_lost_page_is_sigbus() {
    in_child(|| {
        on_each_store(|scene| {
            let mut guest = cut(scene, 0);
            scene.write("g", pattern(LENGTH as usize));
            assert_eq!(guest.map("g", READ_WRITE, 0), "ok");
            // Into a window whose pages are lost, and out of it.
            assert_eq!(guest.pread(0, 3 * UNIT, FREE), "sigbus");
            assert_eq!(guest.pwrite(0, FREE + UNIT, UNIT), "sigbus");
            assert_eq!((guest.check(0), guest.load(AT_TOKEN)), ("ok", TOKEN));
            assert!(scene.read("g") == pattern(LENGTH as usize));
            assert_eq!(guest.load(FREE + UNIT), 0);
            assert_lost(&mut guest);
            assert_eq!(guest.pread(UNIT, 8, FREE + UNIT), "ok");
        });
    });
}

#[test]
fn what_is_stored_to_a_lost_page_of_a_shared_window_is_lost() {
    in_child(|| {
        on_each_store(|scene| {
            let mut guest = cut(scene, SHARED);
            guest.store(FREE + UNIT, 1);
            guest.store(FREE + 8, 2);
            assert_eq!((guest.load(FREE + UNIT), guest.load(FREE + 8)), (1, 2));
            assert_eq!(guest.check(0), "sigbus");
            assert_eq!(scene.read("f").len() as u64, page());
            assert_eq!(word(&scene.read("f"), 8), 2);
        });
    });
}

#[test]
fn reading_in_what_is_lost_loses_nothing_more() {
    in_child(|| {
        on_each_store(|scene| {
            let mut guest = cut(scene, 0);
            assert_eq!(guest.prefetch(0, 0, LENGTH), "ok");
            assert_eq!(guest.move_to(0, 0, LENGTH, POPULATE), "ok");
            assert_eq!((guest.check(0), guest.load(AT_TOKEN)), ("ok", TOKEN));
            assert_eq!(guest.window(1, UNIT, UNIT, 8 * FREE, POPULATE), "ok");
            assert_eq!((guest.check(1), guest.load(8 * FREE), guest.check(1)), ("ok", 0, "sigbus"));
            assert_eq!(guest.load(FREE + UNIT), 0);
            assert_lost(&mut guest);
        });
    });
}

#[test]
fn a_guest_that_cuts_its_own_file_loses_its_own_pages() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(LENGTH as usize));
            let mut guests = [scene.windowed(), scene.windowed()];
            for guest in &mut guests {
                assert_eq!(guest.map("f", READ_WRITE, 0), "ok");
                assert_eq!(guest.window(0, 0, LENGTH, FREE, 0), "ok");
            }
            let [one, other] = &mut guests;
            assert_eq!(one.truncate(page()), "ok");
            assert_eq!(one.load(FREE + UNIT), 0);
            assert_lost(one);
            // Each has its own word.
            assert_eq!((other.check(0), other.load(AT_TOKEN)), ("ok", TOKEN));
            assert_eq!(other.load(FREE + 3 * UNIT), 0);
            assert_lost(other);
        });
    });
}

#[test]
fn a_lost_page_costs_a_host_no_ranges_and_no_reservation() {
    in_child(|| {
        on_each_store(|scene| {
            let ranges = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
            let mut guest = cut(scene, 0);
            let before = ranges();
            // From the back to the front, a page at a time.
            for at in (1..LENGTH / page()).rev().map(|n| n * page()) {
                assert_eq!(guest.load(FREE + at), 0);
            }
            let faults = LENGTH / page() - 1;
            // The host's own threads may have taken some.
            let more = ranges().saturating_sub(before) as u64;
            assert!(more < faults / 4, "{more} ranges more");
            assert_eq!(guest.check(0), "sigbus");
            assert_eq!(guest.usage().counters().window_faults, faults);
            let usage = guest.usage();
            drop(guest);
            assert_all_returned(&usage);
            assert_eq!(usage.counters().window_faults, faults, "counted once");
        });
    });
}

#[test]
fn a_region_over_a_calls_own_result_harms_only_the_guest() {
    in_child(|| {
        on_each_store(|scene| {
            for (length, whole) in [(LENGTH, false), (LENGTH, true), (0, false), (0, true)] {
                let bytes = pattern(LENGTH as usize);
                scene.write("f", &bytes);
                let mut guest = scene.windowed();
                assert_eq!(guest.map("f", READ_WRITE, 0), "ok");
                scene.cut("f", length);
                // Its stack would be there, its results and handles are, and the host writes its
                // answer to a page that is lost by then.
                let region = if whole { 512 * UNIT } else { 3 * UNIT };
                guest.store(region - 8, TOKEN);
                assert_eq!(guest.window_in(0, 0, 2 * UNIT, (0, region, TOKEN), SHARED), "ok");
                let expected = if length == 0 { "sigbus" } else { "ok" };
                assert_eq!(guest.check(0), expected);
                let first = if length == 0 { 0 } else { word(&bytes, UNIT) };
                assert_eq!(guest.load(UNIT), first);
                assert_eq!(guest.move_to(0, 0, UNIT, 0), "ok");
                let usage = guest.usage();
                drop(guest);
                assert_all_returned(&usage);
            }
        });
    });
}

#[test]
fn a_window_of_an_unlucky_guest_is_closed_as_any_other() {
    in_child(|| {
        on_each_store(|scene| {
            let mut guest = cut(scene, 0);
            assert_eq!(guest.load(FREE + UNIT), 0);
            assert_eq!(guest.close(0), "ok");
            assert_eq!((guest.load(FREE), guest.load(FREE + UNIT)), (0, 0));
            assert_eq!(guest.map("f", READ, 0), "ok");
            assert_eq!(guest.window(0, 0, page(), FREE, 0), "ok");
            assert_eq!((guest.load(FREE), guest.check(0)), (word(&pattern(8), 0), "ok"));
        });
    });
}
