//! Guests whose `realloc` is hostile, and results in their memory: each harms only itself.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use iommap::{FsPerms, Grants, IommapCtx, Limits, OpenOptions, Usage};
use iommap_tests::Scene;
use iommap_tests::scene::{DATA, assert_all_returned, on_each_store, pattern};
use iommap_tests::wat::{FREE, HONEST, Hostile, RESULT, RESULT_BYTES, Realloc};

/// More than what `Kind::Offloading` lets stay where it is.
const LENGTH: usize = 1000;

/// Where a `realloc` that always answers the same has its buffer.
const BUFFER: u32 = 8192;

/// On each kind of store: a guest with this `realloc` and an open mapping of `LENGTH` bytes, and
/// what it gets up to. Afterwards all that it used returned, and another guest is fine.
fn harms_only_itself(realloc: &str, mischief: impl Fn(&mut Hostile, &Scene)) {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH));
        let mut other = scene.guest();
        other.play("open m /data/f read-write -> ok");
        let mut guest = scene.hostile(realloc);
        assert_eq!(guest.open().unwrap(), "ok");
        mischief(&mut guest, scene);
        let usage = guest.host().usage();
        drop(guest);
        assert_all_returned(&usage);
        other.play("pwrite m 0 hex:0102 -> ok");
        other.play("pread m 0 2 -> ok hex:0102");
    });
}

/// Fails unless both ways to read are errors of the guest's, each tried on a guest of its own.
fn is_no_place_to_read_to(realloc: &str, complaint: &str) {
    for many in [false, true] {
        harms_only_itself(realloc, |guest, _| {
            guest.list(&[(0, 8), (8, 8)]).unwrap();
            let result =
                if many { guest.pread_many(FREE, 2, RESULT) } else { guest.pread(0, 16, RESULT) };
            let trap = format!("{:?}", result.unwrap_err());
            assert!(trap.contains(complaint), "{trap}");
            assert!(guest.peek(RESULT).is_err(), "it is not entered again");
        });
    }
}

#[test]
fn a_result_is_laid_out_as_the_abi_says() {
    on_each_store(|scene| {
        let bytes = pattern(2 << 20);
        scene.write("f", &bytes);
        let mut guest = scene.hostile(HONEST);
        assert_eq!(guest.open().unwrap(), "ok");
        for length in [0, 1, 64 << 10, 1 << 20] {
            // All that is around the result shall stay as it is.
            for at in (RESULT - 8..RESULT + 32).step_by(8) {
                guest.poke(at, u64::MAX).unwrap();
            }
            let before = guest.reallocs().unwrap().len();
            assert_eq!(guest.pread(4097, length as u64, RESULT).unwrap(), "ok");
            guest.assert_result(RESULT, &bytes[4097..][..length]);
            for at in [RESULT - 8, RESULT - 4, RESULT + RESULT_BYTES, RESULT + RESULT_BYTES + 4] {
                assert_eq!(guest.peek(at).unwrap(), u32::MAX);
            }
            let calls = guest.reallocs().unwrap();
            let size = length as u32;
            assert_eq!(calls[before..], [Realloc { old: 0, was: 0, align: 1, size }], "one call");
        }
        assert_eq!(guest.close().unwrap(), "ok");
        assert_eq!(guest.pread(0, 1, RESULT).unwrap(), "closed");
        assert_eq!(guest.reallocs().unwrap().len(), 4, "nothing is asked for before the checks");
    });
}

#[test]
fn realloc_is_called_once_for_many_ranges() {
    on_each_store(|scene| {
        let bytes = pattern(2 << 20);
        scene.write("f", &bytes);
        let mut guest = scene.hostile(HONEST);
        assert_eq!(guest.open().unwrap(), "ok");
        guest.list(&[(1, 0), (1 << 20, 1 << 20), (7, 3)]).unwrap();
        assert_eq!(guest.pread_many(FREE, 3, RESULT).unwrap(), "ok");
        let expected = [&bytes[1 << 20..], &bytes[7..10]].concat();
        guest.assert_result(RESULT, &expected);
        assert_eq!(guest.reallocs().unwrap().len(), 1);
        // Of no ranges it does not matter where they are.
        for list in [0, 8, FREE] {
            assert_eq!(guest.pread_many(list, 0, RESULT).unwrap(), "ok");
            guest.assert_result(RESULT, b"");
        }
    });
}

#[test]
fn a_realloc_that_answers_minus_one_traps() {
    is_no_place_to_read_to("(i32.const -1)", "beyond end of memory");
}

#[test]
fn a_realloc_that_answers_the_end_of_memory_traps() {
    is_no_place_to_read_to("(call $end)", "beyond end of memory");
}

#[test]
fn a_realloc_one_byte_short_of_room_traps() {
    let short = "(i32.sub (i32.add (call $end) (i32.const 1)) (local.get $size))";
    is_no_place_to_read_to(short, "beyond end of memory");
}

#[test]
fn a_realloc_that_traps_ends_the_guest() {
    is_no_place_to_read_to("(unreachable)", "unreachable");
}

#[test]
fn a_realloc_that_leaves_its_memory_traps() {
    let outside = "(i32.load (i32.const -1))";
    is_no_place_to_read_to(outside, "out of bounds memory access");
}

#[test]
fn a_realloc_that_calls_the_host_traps() {
    let reenter = "(call $pread (i32.const 0) (i64.const 0) (i64.const 1) (i32.const 64))
                   (i32.const 8192)";
    is_no_place_to_read_to(reenter, "cannot leave component instance");
}

#[test]
fn a_realloc_may_give_the_last_bytes_of_memory() {
    harms_only_itself("(i32.sub (call $end) (local.get $size))", |guest, _| {
        let end = guest.end().unwrap();
        for length in [0, 1, LENGTH] {
            assert_eq!(guest.pread(0, length as u64, RESULT).unwrap(), "ok");
            let start = guest.assert_result(RESULT, &pattern(LENGTH)[..length]);
            assert_eq!(start, end - length as u32);
        }
        guest.list(&[(0, 500), (500, 500)]).unwrap();
        assert_eq!(guest.pread_many(FREE, 2, RESULT).unwrap(), "ok");
        guest.assert_result(RESULT, &pattern(LENGTH));
    });
}

#[test]
fn a_realloc_may_give_an_odd_address() {
    // Bytes may lie anywhere.
    harms_only_itself("(i32.const 8191)", |guest, _| {
        assert_eq!(guest.pread(1, 999, RESULT).unwrap(), "ok");
        assert_eq!(guest.assert_result(RESULT, &pattern(LENGTH)[1..]), 8191);
    });
}

#[test]
fn a_realloc_may_grow_memory() {
    let growing = "(drop (memory.grow (i32.const 16)))
                   (i32.sub (call $end) (local.get $size))";
    harms_only_itself(growing, |guest, _| {
        guest.list(&[(0, 500), (500, 500)]).unwrap();
        for _ in 0..4 {
            let end = guest.end().unwrap();
            assert_eq!(guest.pread(0, LENGTH as u64, RESULT).unwrap(), "ok");
            guest.assert_result(RESULT, &pattern(LENGTH));
            assert_eq!(guest.pread_many(FREE, 2, RESULT).unwrap(), "ok");
            guest.assert_result(RESULT, &pattern(LENGTH));
            assert_eq!(guest.end().unwrap(), end + 32 * 65_536);
        }
    });
}

#[test]
fn a_realloc_may_answer_the_same_always() {
    harms_only_itself(&format!("(i32.const {BUFFER})"), |guest, _| {
        for (to, offset) in [(RESULT, 0), (FREE, 500)] {
            assert_eq!(guest.pread(offset, 500, to).unwrap(), "ok");
            let bytes = &pattern(LENGTH)[offset as usize..][..500];
            assert_eq!(guest.assert_result(to, bytes), BUFFER);
        }
        let bytes = &pattern(LENGTH)[500..];
        assert_eq!(guest.assert_result(RESULT, bytes), BUFFER, "its own doing");
    });
}

#[test]
fn a_realloc_that_answers_the_place_of_the_result_loses() {
    harms_only_itself(&format!("(i32.const {RESULT})"), |guest, _| {
        assert_eq!(guest.pread(0, 500, RESULT).unwrap(), "ok");
        assert_eq!(guest.peek(RESULT).unwrap() & 0xff, 0);
        assert_eq!(guest.peek(RESULT + 4).unwrap(), RESULT);
        assert_eq!(guest.peek(RESULT + 8).unwrap(), 500);
    });
}

#[test]
fn a_realloc_that_answers_the_list_of_ranges_harms_nothing_else() {
    // What is read lands on the list that says what to read.
    harms_only_itself(&format!("(i32.const {FREE})"), |guest, scene| {
        let mut content = vec![0xff; LENGTH];
        guest.list(&[(0, 100), (0, 100), (0, 100), (0, 100)]).unwrap();
        scene.write("f", &content);
        let answer = guest.pread_many(FREE, 4, RESULT).unwrap();
        assert!(["out-of-bounds", "badarg"].contains(&answer), "{answer}");

        // Ranges inside the file, but longer than what was asked for.
        let long: Vec<u8> = [0u64, 900].repeat(10).iter().flat_map(|n| n.to_le_bytes()).collect();
        content[..long.len()].copy_from_slice(&long);
        scene.write("f", &content);
        guest.list(&[(0, 32), (0, 32), (0, 32), (0, 32)]).unwrap();
        guest.poke(FREE + 128, 0x0123_4567_89ab_cdef).unwrap();
        assert_eq!(guest.pread_many(FREE, 4, RESULT).unwrap(), "badarg");
        assert_eq!(guest.peek(FREE + 128).unwrap(), 0x89ab_cdef, "nothing behind the buffer");

        // Ranges that say the same as before.
        let same: Vec<u8> = [0u64, 32].repeat(10).iter().flat_map(|n| n.to_le_bytes()).collect();
        content[..same.len()].copy_from_slice(&same);
        scene.write("f", &content);
        guest.list(&[(0, 32), (0, 32)]).unwrap();
        assert_eq!(guest.pread_many(FREE, 2, RESULT).unwrap(), "ok");
        guest.assert_result(RESULT, &same[..32].repeat(2));
    });
}

#[test]
fn a_realloc_that_changes_the_ranges_leaves_no_bounds() {
    // Its first range becomes: OFFSET, LENGTH. It was said to be 16 bytes of 32.
    for (offset, length, allowed) in [
        (u64::MAX, 16, &["badarg", "out-of-bounds"][..]),
        (u64::MAX - 7, 16, &["badarg", "out-of-bounds"]),
        (LENGTH as u64, 16, &["badarg", "out-of-bounds"]),
        (LENGTH as u64 - 15, 16, &["badarg", "out-of-bounds"]),
        (0, u64::MAX, &["badarg", "out-of-bounds"]),
        (0, u64::MAX - 8, &["badarg", "out-of-bounds"]),
        (0, 1 << 32, &["badarg", "out-of-bounds"]),
        (0, 17, &["badarg"]),
        (0, 33, &["badarg"]),
        (0, 15, &["badarg"]),
        (0, 0, &["badarg"]),
    ] {
        let changing = format!(
            "(i64.store (i32.const {FREE}) (i64.const {}))
             (i64.store (i32.const {}) (i64.const {}))
             (i32.const {BUFFER})",
            offset.cast_signed(),
            FREE + 8,
            length.cast_signed()
        );
        harms_only_itself(&changing, |guest, _| {
            guest.list(&[(0, 16), (16, 16)]).unwrap();
            guest.poke(BUFFER + 32, 0x0123_4567_89ab_cdef).unwrap();
            let answer = guest.pread_many(FREE, 2, RESULT).unwrap();
            assert!(allowed.contains(&answer), "{offset}+{length}: {answer}");
            assert_eq!(guest.peek(BUFFER + 32).unwrap(), 0x89ab_cdef, "nothing behind the buffer");
        });
    }
    // Another range of the same length: the guest gets what it now says.
    let moved = format!("(i64.store (i32.const {FREE}) (i64.const 800)) (i32.const {BUFFER})");
    harms_only_itself(&moved, |guest, _| {
        guest.list(&[(0, 16), (16, 16)]).unwrap();
        assert_eq!(guest.pread_many(FREE, 2, RESULT).unwrap(), "ok");
        let bytes = pattern(LENGTH);
        guest.assert_result(RESULT, &[&bytes[800..816], &bytes[16..32]].concat());
    });
}

#[test]
fn lists_and_results_outside_memory_trap() {
    type Mischief = fn(&mut Hostile) -> wasmtime::Result<&'static str>;
    let cases: [(&str, Mischief); 13] = [
        ("a result outside", |guest| guest.pread(0, 1, u32::MAX - 3)),
        ("a result at the end", |guest| guest.pread(0, 1, 4 * 65_536 - 4)),
        ("a result that is not aligned", |guest| guest.pread(0, 1, RESULT + 1)),
        ("an error outside", |guest| guest.pread(u64::MAX, 1, u32::MAX - 3)),
        ("a result of many outside", |guest| guest.pread_many(FREE, 0, u32::MAX - 3)),
        ("data outside", |guest| guest.pwrite(0, 4 * 65_536 - 1, 2)),
        ("data of all addresses", |guest| guest.pwrite(0, 0, u32::MAX)),
        ("ranges outside", |guest| guest.pread_many(4 * 65_536 - 8, 1, RESULT)),
        ("ranges that are not aligned", |guest| guest.pread_many(FREE + 4, 1, RESULT)),
        ("too many ranges for 32 bits", |guest| guest.pread_many(FREE, u32::MAX, RESULT)),
        ("ranges around the end of 32 bits", |guest| guest.pread_many(FREE, 1 << 28, RESULT)),
        ("ranges to write outside", |guest| guest.pwrite_many(4 * 65_536 - 8, 1, 0, 0)),
        ("data of ranges outside", |guest| guest.pwrite_many(FREE, 0, u32::MAX, 1)),
    ];
    for (name, mischief) in cases {
        harms_only_itself(HONEST, |guest, scene| {
            let result = mischief(guest);
            assert!(result.is_err(), "{name}: {result:?}");
            assert_eq!(scene.read("f"), pattern(LENGTH), "{name}");
        });
    }
}

#[test]
fn data_that_is_also_the_list_is_written() {
    harms_only_itself(HONEST, |guest, scene| {
        guest.list(&[(0, 8), (8, 24)]).unwrap();
        assert_eq!(guest.pwrite_many(FREE, 2, FREE, 32).unwrap(), "ok");
        let list: Vec<u8> = [0u64, 8, 8, 24].iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(scene.read("f")[..32], list);
    });
}

#[test]
fn a_realloc_that_traps_holds_no_lock() {
    for many in [false, true] {
        on_each_store(|scene| {
            scene.write("f", pattern(LENGTH));
            let mut grants = Grants::default();
            grants.preopened_dir(scene.directory(), DATA, FsPerms::ReadWrite).unwrap();
            let usage = Usage::new(Limits::default());
            let options = OpenOptions::new().read(true).write(true);
            let mapping = Arc::new(grants.open(&usage, "/data/f", &options).unwrap());

            let mut builder = IommapCtx::builder();
            builder.share("/data/f", mapping.clone(), FsPerms::ReadWrite);
            let mut guest = scene.hostile_with("(unreachable)", &mut builder);
            assert_eq!(guest.open().unwrap(), "ok");
            guest.list(&[(0, 8)]).unwrap();
            let result =
                if many { guest.pread_many(FREE, 1, RESULT) } else { guest.pread(0, 8, RESULT) };
            result.unwrap_err();

            // On another thread, which may wait for ever if a lock is still held.
            let (done, waiting) = mpsc::channel();
            let worker = mapping.clone();
            std::thread::spawn(move || {
                worker.pwrite(0, b"written").unwrap();
                worker.set_len(7).unwrap();
                worker.close().unwrap();
                done.send(()).unwrap();
            });
            waiting.recv_timeout(Duration::from_secs(60)).expect("no lock held");
            assert_eq!(scene.read("f"), b"written");
            drop(guest);
            drop(mapping);
            assert_all_returned(&usage);
        });
    }
}
