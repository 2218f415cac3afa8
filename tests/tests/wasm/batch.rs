//! `pread-many` and `pwrite-many` of many ranges; of few, they are cases in
//! `tests/conformance/cases.txt`.

use iommap_tests::scene::{on_each_store, pattern, shown};

/// A list of ranges in which each is the same.
fn same(range: &str, count: usize) -> String {
    let mut list = format!("{range},").repeat(count);
    list.pop();
    list
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
