//! Storage outside of wasm: that of the system, with the host's checks.
#![cfg(target_os = "linux")]

use iommap_guest::{Error, ErrorKind, Mapping, Range, sync_all};
use std::fs;
use std::os::unix::fs::MetadataExt;
use tempfile::TempDir;

type Operation = fn(&Mapping, Range) -> Result<(), Error>;

const ALL: [Operation; 3] = [
    |mapping, range| mapping.punch_hole(range),
    |mapping, range| mapping.zero_range(range),
    |mapping, range| mapping.allocate(range),
];

fn open(dir: &TempDir, name: &str) -> Mapping {
    let path = dir.path().join(name);
    Mapping::options().read(true).write(true).create(true).size(1 << 20).open(&path).unwrap()
}

#[test]
fn holes_zeros_and_blocks_change_no_length() {
    let dir = TempDir::new().unwrap();
    let mapping = open(&dir, "f");
    let stat = || fs::metadata(dir.path().join("f")).unwrap();
    mapping.write_all_at(0, &vec![7; 1 << 20]).unwrap();
    mapping.sync().unwrap();
    let before = stat().blocks();
    if let Err(error) = mapping.punch_hole(5..(1 << 20) - 5) {
        assert_eq!(error, ErrorKind::Enotsup);
        println!("skipped: the file system has no holes");
        return;
    }
    assert!(stat().blocks() < before);
    let bytes = mapping.read_to_vec(0, 1 << 20).unwrap();
    let holds = |at: usize| if (5..(1 << 20) - 5).contains(&at) { 0 } else { 7 };
    assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == holds(at)));
    mapping.allocate(0..1 << 20).unwrap();
    assert!(stat().blocks() >= (1 << 20) / 512);
    mapping.zero_range(0..1 << 20).unwrap();
    assert_eq!(mapping.read_to_vec(0, 1 << 20).unwrap(), vec![0; 1 << 20]);
    // Others cut it: it stays cut.
    fs::File::options().write(true).open(dir.path().join("f")).unwrap().set_len(9).unwrap();
    for operation in ALL {
        operation(&mapping, Range::new(0, 1 << 20)).unwrap();
        assert_eq!(stat().len(), 9);
    }
}

#[test]
fn what_may_not_be_changed_is_refused_with_words() {
    let dir = TempDir::new().unwrap();
    let mapping = open(&dir, "f");
    let path = dir.path().join("f");
    let reader = Mapping::open(&path).unwrap();
    let private = Mapping::options().read(true).write(true).private(true).open(&path).unwrap();
    for operation in ALL {
        for mapping in [&reader, &private] {
            assert_eq!(operation(mapping, Range::new(u64::MAX, 1)), Err(ErrorKind::Eacces.into()));
        }
        let error = operation(&mapping, Range::new(1, 1 << 20)).unwrap_err();
        assert_eq!(error, ErrorKind::OutOfBounds);
        assert!(error.to_string().contains("of 1048576 bytes at offset 1 of "), "{error}");
        operation(&mapping, Range::new(1 << 20, 0)).unwrap();
    }
    for mapping in [&reader, &private] {
        let error = mapping.sync_entry().unwrap_err();
        assert_eq!(error, ErrorKind::Eacces);
        assert!(error.to_string().starts_with("cannot write the entry of "), "{error}");
    }
}

#[test]
fn an_entry_is_synced_while_the_path_leads_to_the_file() {
    let dir = TempDir::new().unwrap();
    let mapping = open(&dir, "f");
    mapping.sync_entry().unwrap();
    fs::rename(dir.path().join("f"), dir.path().join("g")).unwrap();
    assert_eq!(mapping.sync_entry(), Err(ErrorKind::Enoent.into()));
    fs::write(dir.path().join("f"), "another").unwrap();
    assert_eq!(mapping.sync_entry(), Err(ErrorKind::Enoent.into()));
    fs::rename(dir.path().join("g"), dir.path().join("f")).unwrap();
    mapping.sync_entry().unwrap();
}

#[test]
fn many_mappings_are_synced_in_one_call() {
    let dir = TempDir::new().unwrap();
    let mappings = ["a", "b", "c"].map(|name| open(&dir, name));
    mappings.iter().for_each(|mapping| mapping.write_all_at(0, b"changed").unwrap());
    sync_all(&[]).unwrap();
    let [a, b, c] = &mappings;
    sync_all(&[a, b, a, c]).unwrap();
    // More than a host takes in one call.
    sync_all(&[a; 3000]).unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(fs::read(dir.path().join(name)).unwrap()[..7], *b"changed");
    }
}
