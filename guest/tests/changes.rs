//! What has become of a file, natively, where a mapping is an ordinary file.

use iommap_guest::{ErrorKind, Mapping, Reader};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

fn set_len(path: &Path, length: u64) {
    File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

#[test]
fn a_file_that_is_cut_grown_replaced_or_gone_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (path, new) = (dir.path().join("f"), dir.path().join("new"));
    fs::write(&path, b"contents").unwrap();
    let mapping = Mapping::open(&path).unwrap();
    let first = mapping.changed().unwrap();
    assert_eq!(first.length, 8);
    assert!(!(first.shorter || first.longer || first.modified || first.is_elsewhere()));

    set_len(&path, 3);
    let cut = mapping.changed().unwrap();
    assert_eq!((cut.length, cut.shorter, cut.longer), (3, true, false));
    assert_eq!(mapping.file_len().unwrap(), 3);
    set_len(&path, 9);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_nanos(77)).unwrap();
    let grown = mapping.changed().unwrap();
    assert_eq!((grown.length, grown.longer, grown.modified), (9, true, true));
    assert_eq!(grown.modified_at, 77);

    fs::write(&new, b"another").unwrap();
    fs::rename(&new, &path).unwrap();
    let replaced = mapping.changed().unwrap();
    assert!(replaced.replaced && !replaced.gone, "{replaced:?}");
    let again = mapping.remap().unwrap();
    assert_eq!(again.read_to_vec(0, 7).unwrap(), b"another");
    assert_eq!(mapping.read_to_vec(0, 3).unwrap(), b"con", "the old one shows what it shows");
    fs::remove_file(&path).unwrap();
    assert!(again.changed().unwrap().gone);
    assert_eq!(again.remap().unwrap_err(), ErrorKind::Enoent);
}

#[test]
fn a_read_up_to_the_end_is_short_and_a_strict_one_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, b"contents").unwrap();
    let mapping = Mapping::open(&path).unwrap();
    let mut buf = [0; 6];
    assert_eq!(mapping.read_up_to(0, &mut buf), Ok(6));
    assert_eq!(mapping.read_up_to(5, &mut buf), Ok(3));
    assert_eq!(&buf[..3], b"nts");
    assert_eq!(mapping.read_up_to(8, &mut buf), Ok(0));
    assert_eq!(mapping.read_up_to(u64::MAX, &mut buf), Ok(0));

    assert_eq!(mapping.read_strict(2, &mut buf), Ok(()));
    set_len(&path, 5);
    assert_eq!(mapping.read_exact_at(2, &mut buf), Ok(()), "by whole pages");
    assert_eq!(mapping.read_strict(2, &mut buf).unwrap_err(), ErrorKind::Sigbus);
    assert_eq!(mapping.read_strict(2, &mut buf[..3]), Ok(()));
    assert_eq!(mapping.read_strict(8, &mut []), Ok(()));
    assert_eq!(mapping.read_strict(8, &mut buf).unwrap_err(), ErrorKind::OutOfBounds);

    let mut all = [0; 20];
    let mut reader = Reader::with_capacity(4, &mapping);
    assert_eq!(reader.read(&mut all).unwrap(), 8);
    assert_eq!(reader.read(&mut all).unwrap(), 0);
}

#[test]
fn who_waits_is_told_of_a_change_or_that_there_was_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, b"contents").unwrap();
    let mapping = Mapping::open(&path).unwrap();
    let known = mapping.changed().unwrap();
    let none = mapping.wait_for_change(&known, Some(Duration::from_millis(5)));
    assert_eq!(none, Ok(None));
    thread::scope(|scope| {
        let waiter = scope.spawn(|| mapping.wait_for_change(&known, None));
        set_len(&path, 2);
        assert_eq!(waiter.join().unwrap().unwrap().map(|state| state.length), Some(2));
    });
}
