//! A file that is cut under a mapping. Each test in a child: what is tested is that it lives.

use iommap_tests::child::in_child;
use iommap_tests::scene::{on_each_store, page, pattern, shown};
use iommap_tests::wat::{HONEST, RESULT, RESULT_BYTES, Realloc};

#[test]
fn a_cut_page_is_sigbus_and_the_rest_stays_readable() {
    in_child(|| {
        on_each_store(|scene| {
            let page = page();
            let bytes = pattern(4 * page as usize);
            scene.write("f", &bytes);
            let mut guest = scene.guest();
            guest.play("open m /data/f read -> ok");
            let end = page + 10;
            scene.cut("f", end);

            let left = &bytes[..end as usize];
            guest.play(&format!("pread m 0 {end} -> ok {}", shown(left)));
            // The rest of the last page: zeros, without a signal.
            let mut rounded = left.to_vec();
            rounded.resize(2 * page as usize, 0);
            guest.play(&format!("pread m 0 {} -> ok {}", 2 * page, shown(&rounded)));
            guest.play(&format!("pread m {} 10 -> ok {}", 2 * page - 10, shown(&[0; 10])));

            for (offset, length) in [
                (2 * page, 1),
                (2 * page - 1, 2),
                (4 * page - 1, 1),
                (3 * page, 100),
                (3 * page - 50, 100),
                (0, 4 * page),
            ] {
                guest.play(&format!("pread m {offset} {length} -> err sigbus"));
            }
            guest.play(&format!("pread m {} 0 -> ok hex:", 3 * page));
            guest.play(&format!("pread-many m 0+1,{}+1,1+1 -> err sigbus", 2 * page));
            guest.play(&format!("pread-many m 0+1,{}+0 -> ok {}", 3 * page, shown(&bytes[..1])));
            // The size is the mapping's, not the file's.
            guest.play(&format!("position m -> ok {}", 4 * page));
            guest.play(&format!("pread m {} 1 -> err out-of-bounds", 4 * page));
            assert_eq!(guest.counters().faults_recovered, 7);
        });
    });
}

#[test]
fn a_cut_page_is_sigbus_and_the_rest_stays_writable() {
    in_child(|| {
        on_each_store(|scene| {
            let page = page();
            scene.write("f", pattern(4 * page as usize));
            let mut guest = scene.guest();
            guest.play("open m /data/f read-write -> ok");
            scene.cut("f", page + 10);
            guest.play(&format!(
                "
                pwrite m 0 text:hello                               -> ok
                pwrite m {behind} hex:01                            -> err sigbus
                pwrite m {across} fill:7:{page}                     -> err sigbus
                pwrite-many m 0+1,{behind}+1 text:JX                -> err sigbus
                pwrite m {behind} hex:                              -> ok
                pwrite m {rest} hex:01                              -> ok
                sync m sync                                         -> ok
                pread m 1 4                                         -> ok hex:656c6c6f
                ",
                behind = 2 * page,
                across = 2 * page - 100,
                rest = page + 10,
            ));
            assert_eq!(guest.counters().faults_recovered, 3);
            let left = scene.read("f");
            assert_eq!(left.len() as u64, page + 10, "a write never makes the file longer");
            assert_eq!(&left[1..5], b"ello");
        });
    });
}

#[test]
fn a_cut_file_can_be_hinted_synced_and_closed() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(4 * page() as usize));
            let mut guest = scene.guest();
            for (name, mode) in [("r", "read"), ("b", "read-write"), ("p", "read-write private")] {
                guest.play(&format!("open {name} /data/f {mode} -> ok"));
            }
            guest.play("pwrite b 9 text:x -> ok");
            scene.cut("f", 0);
            for name in ["r", "b", "p"] {
                for hint in ["normal", "random", "sequential", "dontneed", "willneed"] {
                    guest.play(&format!("advise {name} 0 0 {hint} -> ok"));
                }
                guest.play(&format!("sync {name} sync -> ok"));
                guest.play(&format!("pread {name} 0 1 -> err sigbus"));
                guest.play(&format!("close {name} -> ok"));
            }
            let usage = guest.usage();
            drop(guest);
            iommap_tests::scene::assert_all_returned(&usage);
        });
    });
}

#[test]
fn a_sync_says_that_what_was_written_privately_may_be_lost() {
    in_child(|| {
        on_each_store(|scene| {
            let length = 2 * page();
            scene.write("f", pattern(length as usize));
            let mut guest = scene.guest_with(scene.grant().max_mappings(3));
            guest.play(
                "
                open p /data/f read-write private       -> ok
                open u /data/f read-write private       -> ok
                pwrite p 0 hex:aa                       -> ok
                sync p sync                             -> ok
                ",
            );
            // As editors save. Nothing else would tell the guest.
            scene.write("f", pattern(length as usize));
            guest.play(&format!(
                "
                pread p 0 1                             -> ok {}
                sync p sync                             -> err sigbus
                sync p async                            -> err sigbus
                sync-range p {length} 0 sync            -> err sigbus
                sync-range p {length} 1 sync            -> err out-of-bounds
                pwrite p 0 hex:aa                       -> ok
                sync p sync                             -> err sigbus
                sync u sync                             -> ok
                open n /data/f read-write private       -> ok
                pwrite n 0 hex:aa                       -> ok
                sync n sync                             -> ok
                ",
                shown(&pattern(1))
            ));
            assert_eq!(guest.counters().faults_recovered, 0);
            let usage = guest.usage();
            drop(guest);
            iommap_tests::scene::assert_all_returned(&usage);
        });
    });
}

#[test]
fn a_fault_asks_the_guest_for_memory_once() {
    in_child(|| {
        on_each_store(|scene| {
            let page = page() as u32;
            scene.write("f", pattern(3 * page as usize));
            let mut guest = scene.hostile(HONEST);
            assert_eq!(guest.open().unwrap(), "ok");
            scene.cut("f", u64::from(page));
            for byte in (RESULT..RESULT + RESULT_BYTES + 8).step_by(8) {
                guest.poke(byte, u64::MAX).unwrap();
            }
            let length = 2 * page;
            assert_eq!(guest.pread(0, length.into(), RESULT).unwrap(), "sigbus");
            // result: err; error-code: sigbus. A list of zeros would start with 0.
            assert_eq!(guest.peek(RESULT).unwrap() & 0xff, 1);
            assert_eq!(guest.peek(RESULT + 4).unwrap() & 0xff, 6);
            assert_eq!(guest.peek(RESULT + RESULT_BYTES).unwrap(), u32::MAX, "nothing behind");

            let calls = guest.reallocs().unwrap();
            let once = |size| Realloc { old: 0, was: 0, align: 1, size };
            assert_eq!(calls, [once(length)]);

            assert_eq!(guest.pread(u64::from(page), 1, RESULT).unwrap(), "sigbus");
            // The same for several ranges.
            guest.list(&[(0, 10), (u64::from(page), 10)]).unwrap();
            assert_eq!(guest.pread_many(1024, 2, RESULT).unwrap(), "sigbus");
            assert_eq!(guest.reallocs().unwrap(), [once(length), once(1), once(20)]);
            assert_eq!(guest.host().usage().counters().faults_recovered, 3);
        });
    });
}

/// The `realloc` of guests in Python: it traps unless it is asked for new memory.
#[test]
fn a_fault_is_no_trap_for_a_realloc_that_only_allocates() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(2 * page() as usize));
            let mut guest = scene.hostile(
                "(if (local.get $old) (then (unreachable)))
                 (call $bump (local.get $align) (local.get $size))",
            );
            assert_eq!(guest.open().unwrap(), "ok");
            scene.cut("f", 0);
            for length in [1, 2, 100, page()] {
                assert_eq!(guest.pread(0, length, RESULT).unwrap(), "sigbus");
            }
            assert_eq!(guest.host().usage().counters().faults_recovered, 4);
        });
    });
}
