//! Blocks of files where the file system is interrupted, or can't do all of it.

use iommap::{ErrorKind, Mapping};
use iommap_tests::child::in_namespace;
use iommap_tests::fuse::{Fuse, Request};
use iommap_tests::scene::pattern;

/// How long the file is.
const LENGTH: usize = 300_000;

/// Does something to a file whose file system is in another process.
fn on_fuse(work: impl FnOnce(Fuse)) {
    match Fuse::mount(LENGTH) {
        Ok(fuse) => work(fuse),
        Err(why) => eprintln!("skipped: no file system of ours: {why}"),
    }
}

fn contents(mapping: &Mapping) -> Vec<u8> {
    let mut bytes = vec![1; mapping.len().unwrap() as usize];
    mapping.pread(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_signals_keep_interrupting_is_done_in_pieces() {
    const GROWN: usize = 1_000_001;
    const MOST: u32 = 100 << 10;
    in_namespace(|| {
        on_fuse(|mut fuse| {
            fuse.interrupt_above(MOST);
            let grows = Mapping::options().read(true).write(true).size(GROWN as u64);
            let mapping = grows.open(fuse.directory().join("f")).unwrap();
            assert_eq!(fuse.length(), GROWN as u64);
            assert!(fuse.count(Request::Fallocate) >= ((GROWN - LENGTH) / MOST as usize) as u64);
            let mut bytes = pattern(LENGTH);
            bytes.resize(GROWN, 0);
            assert_eq!(contents(&mapping), bytes);
            mapping.punch_hole(5, 299_000).unwrap();
            bytes[5..299_005].fill(0);
            assert_eq!(contents(&mapping), bytes);
            assert_eq!(fuse.length(), GROWN as u64);
        });
    });
}

#[test]
fn no_zeros_are_made_where_no_blocks_can_be_allocated() {
    in_namespace(|| {
        on_fuse(|fuse| {
            let options = Mapping::options().read(true).write(true);
            let mapping = options.open(fuse.directory().join("f")).unwrap();
            assert_eq!(mapping.zero_range(0, 9999), Err(ErrorKind::Enotsup.into()));
            assert_eq!(contents(&mapping), pattern(LENGTH));
            // Nor by the guest crate where it is native.
            let mut native = iommap_script::Script::new(|| 0);
            let open = format!("open m {}/f read-write", fuse.directory().display());
            assert_eq!(native.step(&open), "ok");
            assert_eq!(native.step("zero-range m 0 9999"), "err enotsup");
            assert_eq!(contents(&mapping), pattern(LENGTH));
            mapping.punch_hole(0, 9999).unwrap();
            assert_eq!(contents(&mapping)[..9999], [0; 9999]);
        });
    });
}
