//! A store's end, and what an embedder may do to its data: windows go with the store's memories, and
//! with nothing else. And what a process has only so much of.

use iommap::{IommapView, guard};
use iommap_tests::child::in_child;
use iommap_tests::scene::{assert_all_returned, fnv, page, pattern};
use iommap_tests::windows::{FREE, READ, TOKEN, UNIT, Windowed, ranges_over};
use iommap_tests::{Kind, Scene, on_each_store};

const LENGTH: u64 = 4 * UNIT;

fn open_windows(guest: &mut Windowed, windows: u32) {
    assert_eq!(guest.map("f", READ, 0), "ok");
    for n in 0..windows {
        assert_eq!(guest.window(n, 0, LENGTH, FREE + u64::from(n) * 8 * UNIT, 0), "ok");
        assert_eq!(guest.load(FREE + u64::from(n) * 8 * UNIT), guest.load(FREE));
    }
}

#[test]
fn a_guest_that_traps_leaves_no_window_behind() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(LENGTH as usize));
            let mut guest = scene.windowed();
            open_windows(&mut guest, 8);
            assert!(ranges_over("/f") >= 8);
            assert!(guest.try_load(0xffff_fff0).is_err());
            let usage = guest.usage();
            assert_eq!(usage.counters().windows, 8, "they stay as long as the memory");
            drop(guest);
            assert_all_returned(&usage);
            assert_eq!(ranges_over("/f"), 0);
        });
    });
}

#[test]
fn data_that_outlives_its_store_has_no_windows() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(LENGTH as usize));
            let mut guest = scene.windowed();
            open_windows(&mut guest, 3);
            let usage = guest.usage();
            let mut data = guest.into_host().store.into_data();
            assert_eq!((usage.counters().windows, usage.counters().window_bytes), (0, 0));
            // What is left over is the mapping, which is the data's.
            assert_eq!(usage.counters().mappings, 1);
            // In another store, with another guest, it has windows anew.
            let mut next = scene.windowed();
            std::mem::swap(next.host().store.data_mut(), &mut data);
            drop(data);
            assert_eq!(next.map("f", READ, 0), "ok");
            assert_eq!(next.window(0, 0, LENGTH, FREE, 0), "ok");
            scene.cut("f", page());
            assert_eq!((next.load(FREE + UNIT), next.check(0)), (0, "sigbus"));
            drop(next);
            assert_all_returned(&usage);
        });
    });
}

#[test]
fn stores_that_swap_their_data_touch_no_window_of_the_other() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(LENGTH as usize));
            let mut guests = [scene.windowed(), scene.windowed()];
            for guest in &mut guests {
                open_windows(guest, 1);
            }
            let usages = guests.each_ref().map(Windowed::usage);
            let [one, other] = &mut guests;
            std::mem::swap(one.host().store.data_mut(), other.host().store.data_mut());
            // The handles name windows of the other store, whose memory is not this one's.
            for guest in [&mut *one, &mut *other] {
                assert_eq!((guest.check(0), guest.close(0)), ("closed", "closed"));
                assert_eq!(guest.move_to(0, 0, 1, 0), "closed");
                assert_eq!(guest.hash(FREE, LENGTH), fnv(&pattern(LENGTH as usize)));
                assert_eq!(guest.window(1, 0, UNIT, 8 * FREE, 0), "ok");
            }
            // All of them are still watched.
            scene.cut("f", 0);
            for guest in [one, other] {
                assert_eq!((guest.load(FREE), guest.load(8 * FREE)), (0, 0));
                assert_eq!(guest.check(1), "sigbus");
            }
            drop(guests);
            usages.iter().for_each(|usage| assert_all_returned(usage));
        });
    });
}

#[test]
fn an_embedder_may_clear_its_table_and_replace_its_context() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(LENGTH as usize));
            let mut guest = scene.windowed();
            open_windows(&mut guest, 2);
            let usage = guest.usage();
            let view = guest.host().store.data_mut().iommap();
            *view.table = wasmtime::component::ResourceTable::new();
            *view.ctx = scene.grant_windows().build();
            assert_eq!(guest.hash(FREE, LENGTH), fnv(&pattern(LENGTH as usize)));
            assert_eq!(usage.counters().windows, 2, "the guest still has them");
            // A new set of windows knows nothing of the old ones; the guard does.
            assert_eq!(guest.map("f", READ, 0), "ok");
            assert_eq!(guest.window(2, 0, UNIT, FREE, 0), "badarg");
            assert_eq!(guest.window(2, 0, UNIT, 16 * FREE, 0), "ok");
            scene.cut("f", page());
            assert_eq!((guest.load(FREE + UNIT), guest.load(16 * FREE + page())), (0, 0));
            let covered = guard::watch::faults_covered();
            assert!(covered >= 2);
            drop(guest);
            assert_all_returned(&usage);
            assert_eq!(ranges_over("/f"), 0);
        });
    });
}

#[test]
fn ten_thousand_windows_leave_nothing_behind() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(LENGTH as usize));
            let mut guest = scene.windowed();
            open_windows(&mut guest, 0);
            let ranges = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
            let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            let mut before = None;
            for n in 0..2_500 {
                let at = FREE + n % 7 * 8 * UNIT;
                assert_eq!(guest.window(0, n % 3 * UNIT, UNIT, at, 0), "ok");
                if n % 2 == 0 {
                    assert_eq!(guest.close(0), "ok");
                }
                guest.release(0);
                // What the first ones made is used again.
                if n == 100 {
                    before = Some((ranges(), descriptors()));
                }
            }
            let (ranges_before, descriptors_before) = before.unwrap();
            assert!(descriptors() <= descriptors_before, "{descriptors_before} descriptors");
            // The host's own threads may have taken or returned some.
            assert!(ranges() < ranges_before + 100, "{ranges_before}, then {}", ranges());
            assert_eq!((guest.usage().counters().windows, ranges_over("/f")), (0, 1));
            assert!(scene.read("f") == pattern(LENGTH as usize));
        });
    });
}

#[test]
fn a_process_without_address_space_left_is_enomem() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(LENGTH as usize));
            let mut guest = scene.windowed();
            open_windows(&mut guest, 1);
            let at = 8 * FREE;
            guest.fill(at, 9, 2 * UNIT);
            guest.store(at + 2 * UNIT - 8, TOKEN);
            let before = guest.hash(at, 2 * UNIT);
            let ranges = use_ranges_up();
            let region = (at, 2 * UNIT, TOKEN);
            assert_eq!(guest.window_in(1, UNIT, UNIT, region, 0), "enomem");
            assert_eq!(guest.hash(at, 2 * UNIT), before, "the region is as it was");
            assert_eq!(guest.usage().counters().windows, 1);
            // A window that is there can't go, and stays as it was.
            assert_eq!(guest.move_to(0, UNIT, UNIT, 0), "enomem");
            assert_eq!(guest.close(0), "enomem");
            assert_eq!(guest.hash(FREE, LENGTH), fnv(&pattern(LENGTH as usize)));
            scene.cut("f", page());
            assert_eq!((guest.load(FREE + UNIT), guest.check(0)), (0, "sigbus"));
            drop(ranges);
            assert_eq!(guest.window_in(1, 0, page(), region, 0), "ok");
            let first = guest.load(FREE);
            assert_eq!((guest.load(at), guest.close(0)), (first, "ok"));
        });
    });
}

#[test]
fn a_process_at_its_limit_on_addresses_is_enomem() {
    in_child(|| {
        let scene = Scene::new(Kind::Sync);
        scene.write("f", pattern(LENGTH as usize));
        let mut guest = scene.windowed();
        open_windows(&mut guest, 1);
        let at = 8 * FREE;
        guest.fill(at, 9, 2 * UNIT);
        guest.store(at + 2 * UNIT - 8, TOKEN);
        let before = guest.hash(at, 2 * UNIT);
        let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: a number of this process, which ends with the test.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
        assert_eq!(guest.window_in(1, UNIT, UNIT, (at, 2 * UNIT, TOKEN), 0), "enomem");
        assert_eq!(guest.hash(at, 2 * UNIT), before, "the region is as it was");
        assert_eq!(guest.hash(FREE, LENGTH), fnv(&pattern(LENGTH as usize)));
    });
}

/// Ranges of addresses, given back when dropped.
struct Ranges(Vec<*mut libc::c_void>);

impl Drop for Ranges {
    fn drop(&mut self) {
        for at in &self.0 {
            // SAFETY: a page of its own that nobody has touched.
            unsafe { libc::munmap(*at, page() as usize) };
        }
    }
}

/// Maps single pages that the kernel can't join, until it refuses.
fn use_ranges_up() -> Ranges {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let mut ranges = Ranges(Vec::with_capacity(1 << 20));
    for n in 0.. {
        let protection = if n % 2 == 0 { libc::PROT_NONE } else { libc::PROT_READ };
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let at =
            unsafe { libc::mmap(std::ptr::null_mut(), page() as usize, protection, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            break;
        }
        assert!(ranges.0.len() < ranges.0.capacity(), "it never refuses");
        ranges.0.push(at);
    }
    ranges
}

#[test]
fn a_forked_child_loses_pages_of_its_own() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(LENGTH as usize));
            let mut guest = scene.windowed();
            open_windows(&mut guest, 1);
            scene.cut("f", page());
            let base = guest_address(FREE + UNIT);
            // SAFETY: the child loads one byte of memory that is there, and ends.
            let status = unsafe {
                let child = libc::fork();
                assert!(child >= 0);
                if child == 0 {
                    let zero = std::ptr::with_exposed_provenance::<u8>(base).read_volatile() == 0;
                    libc::_exit(if zero { 7 } else { 8 });
                }
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                status
            };
            assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:#x}");
            assert_eq!(guest.check(0), "ok", "the parent has lost nothing yet");
            assert_eq!((guest.load(FREE + UNIT), guest.check(0)), (0, "sigbus"));
        });
    });
}

/// Where in the process an address of the window of the one guest is that has one.
fn guest_address(at: u64) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let window = maps.lines().find(|line| line.ends_with("/f") && line.contains("rw-p"));
    let start = window.unwrap().split('-').next().unwrap();
    usize::from_str_radix(start, 16).unwrap() + (at - FREE) as usize
}
