//! `pread-many` and `pwrite-many`.

use iommap_tests::scene::{on_each_store, pattern, shown};

/// A list of ranges in which each is the same.
fn same(range: &str, count: usize) -> String {
    let mut list = format!("{range},").repeat(count);
    list.pop();
    list
}

#[test]
fn ranges_are_read_back_to_back() {
    on_each_store(|scene| {
        scene.write("f", "0123456789");
        scene.guest().play(
            "
            open m /data/f read                     -> ok
            pread-many m -                          -> ok hex:
            pread-many m 3+1                        -> ok hex:33
            pread-many m 8+2,0+2                    -> ok hex:38393031
            pread-many m 0+3,1+3,1+0,10+0,9+1       -> ok hex:30313231323339
            pread-many m 0+10,10+0,0+10 -> ok hex:3031323334353637383930313233343536373839
            ",
        );
    });
}

#[test]
fn many_large_ranges_are_read_right() {
    on_each_store(|scene| {
        let bytes = pattern(310_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest();
        guest.play("open m /data/f read -> ok");
        let (mut list, mut expected) = (String::new(), Vec::new());
        for n in 0..100 {
            let (offset, length) = (n * 2_999, n * n);
            list += &format!("{offset}+{length},");
            expected.extend_from_slice(&bytes[offset..][..length]);
        }
        list.pop();
        guest.play(&format!("pread-many m {list} -> ok {}", shown(&expected)));
        assert_eq!(guest.counters().bytes_read, expected.len() as u64);
    });
}

#[test]
fn each_range_is_written_its_piece_and_the_last_counts() {
    on_each_store(|scene| {
        scene.write("f", "0123456789");
        let mut guest = scene.guest();
        guest.play(
            "
            open m /data/f read-write               -> ok
            pwrite-many m - hex:                    -> ok
            pwrite-many m 8+2,0+1,5+0 text:abc      -> ok
            ",
        );
        assert_eq!(scene.read("f"), b"c1234567ab");
        guest.play("pwrite-many m 1+4,3+4 text:ABCDEFGH -> ok");
        assert_eq!(scene.read("f"), b"cABEFGH7ab");
        assert_eq!(guest.counters().bytes_written, 11);
    });
}

#[test]
fn one_bad_range_and_nothing_is_moved() {
    on_each_store(|scene| {
        scene.write("f", "0123456789");
        let mut guest = scene.guest();
        guest.play(
            "
            open m /data/f read-write               -> ok
            pread-many m 0+1,9+2                    -> err out-of-bounds
            pread-many m 0+1,11+0                   -> err out-of-bounds
            pwrite-many m 0+1,9+2 text:abc          -> err out-of-bounds
            pwrite-many m 0+1,11+0 text:a           -> err out-of-bounds
            ",
        );
        assert_eq!(scene.read("f"), b"0123456789");
        assert_eq!((guest.counters().bytes_read, guest.counters().bytes_written), (0, 0));
    });
}

#[test]
fn nothing_is_written_when_lengths_do_not_add_up() {
    on_each_store(|scene| {
        scene.write("f", "0123456789");
        scene.guest().play(
            "
            open m /data/f read-write               -> ok
            pwrite-many m 0+2,2+2 text:abc          -> err badarg
            pwrite-many m 0+2,2+2 text:abcde        -> err badarg
            pwrite-many m - text:a                  -> err badarg
            pwrite-many m 0+1 hex:                  -> err badarg
            ",
        );
        assert_eq!(scene.read("f"), b"0123456789");
    });
}

#[test]
fn a_million_ranges_are_read() {
    on_each_store(|scene| {
        scene.write("f", "0123456789");
        let mut guest = scene.guest_with(scene.grant().max_call_bytes(u64::MAX));
        guest.play("open m /data/f read -> ok");
        let answer = guest.step(&format!("pread-many m {}", same("3+1", 1_000_000)));
        assert_eq!(answer, format!("ok {}", shown(&[b'3'; 1_000_000])));
        assert_eq!(guest.counters().bytes_read, 1_000_000);
    });
}

#[test]
fn more_ranges_than_the_limit_are_refused_though_empty() {
    on_each_store(|scene| {
        scene.write("f", "0123456789");
        let mut guest = scene.guest_with(scene.grant().max_call_bytes(1 << 20));
        guest.play("open m /data/f read-write -> ok");
        for command in [
            format!("pread-many m {}", same("0+0", 258)),
            format!("pread-many m {}", same("0+1", 1_000_000)),
            format!("pwrite-many m {} hex:", same("0+0", 258)),
        ] {
            assert_eq!(guest.step(&command), "err limit-exceeded");
        }
        let answer = guest.step(&format!("pread-many m {}", same("0+0", 257)));
        assert_eq!(answer, "ok hex:");
    });
}
