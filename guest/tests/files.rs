//! The crate where it is no component: mappings that are ordinary files. That they answer as the
//! host does is tested beside it, in `tests/tests/wasm/rust_guest.rs`; here is what needs no host.

use iommap_guest::{Advice, Error, ErrorKind, Mapping, Range, SyncMode};
use std::fs;
use tempfile::TempDir;

/// A directory with a file in it.
fn file(content: &[u8]) -> (TempDir, std::path::PathBuf) {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("f");
    fs::write(&path, content).expect("a file");
    (dir, path)
}

#[test]
fn what_a_private_mapping_writes_stays_out_of_the_file() {
    let (_dir, path) = file(b"hello, world");
    let mapping = Mapping::options().read(true).write(true).private(true).open(&path).unwrap();
    mapping.write_all_at(7, b"there").unwrap();
    mapping.write_all_at(0, b"J").unwrap();
    assert_eq!(mapping.read_to_vec(0, 12).unwrap(), b"Jello, there");
    mapping.sync().unwrap();
    assert_eq!(mapping.set_len(1).unwrap_err(), ErrorKind::Eacces);
    assert_eq!(fs::read(&path).unwrap(), b"hello, world");
}

#[test]
fn an_open_that_fails_leaves_the_world_as_it_was() {
    let (dir, path) = file(b"hello");
    let none = dir.path().join("none");
    let mut options = Mapping::options();
    options.read(true).write(true).create(true).truncate(true).size(u64::MAX);
    for path in [&path, &none] {
        assert_eq!(options.open(path).unwrap_err(), ErrorKind::Efbig, "{path:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"hello");
    assert!(!none.exists());
}

#[test]
fn what_one_mapping_writes_another_reads() {
    let (_dir, path) = file(&[0; 100]);
    let writer = Mapping::options().write(true).open(path.as_os_str()).unwrap();
    let reader = Mapping::open(path.to_str().unwrap()).unwrap();
    writer.write_many(&[Range::new(0, 1), (90..95).into()], b"abcdef").unwrap();
    writer.sync_with(SyncMode::Async).unwrap();
    let mut bytes = [0; 6];
    reader.read_many_into(&[Range::new(0, 1), Range::from((90, 5))], &mut bytes).unwrap();
    assert_eq!(&bytes, b"abcdef");
    assert_eq!(writer.read_at(0, &mut bytes).unwrap_err(), ErrorKind::Eacces);
    let badarg = reader.read_many_into(&[Range::new(0, 1)], &mut bytes).unwrap_err();
    assert_eq!(badarg, ErrorKind::Badarg);
    reader.advise(50, 50, Advice::WillNeed).unwrap();
    assert_eq!(reader.advise(50, 51, Advice::Normal).unwrap_err(), ErrorKind::OutOfBounds);
    writer.close().unwrap();
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_link_to_nothing_is_refused_at_once() {
    let (dir, _) = file(b"");
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path().join("none"), &link).unwrap();
    let mut options = Mapping::options();
    options.read(true).write(true).create(true);
    assert_eq!(options.open(&pipe).unwrap_err(), ErrorKind::Enotreg);
    assert_eq!(options.open(&link).unwrap_err(), ErrorKind::Enoent);
    assert!(!dir.path().join("none").exists());
}

#[test]
fn an_error_reads_as_words_with_its_path_and_what_was_asked() {
    let (dir, path) = file(&[7; 100]);
    let none = dir.path().join("none");
    let error = Mapping::open(&none).unwrap_err();
    assert_eq!(error.path(), none.to_str());
    assert_eq!(error.to_string(), format!("cannot open {}: no such file", none.display()));
    // As `main` prints what it returns.
    assert!(format!("{error:?}").ends_with("/none: no such file (enoent)"), "{error:?}");

    let mapping = Mapping::open(&path).unwrap();
    let file = path.display();
    for (error, words) in [
        (
            mapping.read_array::<9>(92).unwrap_err(),
            format!(
                "cannot read 9 bytes at offset 92 of {file}: the range ends beyond the mapping"
            ),
        ),
        (
            mapping.read_many(&[Range::new(99, 2)]).unwrap_err(),
            format!("cannot read 2 bytes in 1 ranges of {file}: the range ends beyond the mapping"),
        ),
        (
            mapping.write_all_at(0, b"abc").unwrap_err(),
            format!(
                "cannot write 3 bytes at offset 0 of {file}: not permitted by the access mode, the grant or the file"
            ),
        ),
        (
            mapping.set_len(1 << 40).unwrap_err(),
            format!(
                "cannot make {file} 1099511627776 bytes long: not permitted by the access mode, the grant or the file"
            ),
        ),
        (Error::from(ErrorKind::Closed), "the mapping is closed".into()),
    ] {
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn arrays_and_numbers_are_read_where_they_are() {
    let (_dir, path) = file(b"\x01\x02\x03\x04\x05\x06\x07\x08\x09");
    let mapping = Mapping::open(&path).unwrap();
    assert_eq!(mapping.read_array(7).unwrap(), [8, 9]);
    assert_eq!((mapping.u16_le_at(1).unwrap(), mapping.u16_be_at(1).unwrap()), (0x0302, 0x0203));
    assert_eq!(mapping.u32_le_at(1).unwrap(), 0x0504_0302);
    assert_eq!(mapping.u32_be_at(1).unwrap(), 0x0203_0405);
    assert_eq!(mapping.u64_le_at(1).unwrap(), 0x0908_0706_0504_0302);
    assert_eq!(mapping.u64_be_at(1).unwrap(), 0x0203_0405_0607_0809);
    assert_eq!(mapping.u64_be_at(2).unwrap_err(), ErrorKind::OutOfBounds);
}

#[test]
fn reads_up_to_the_end_and_behind_it_are_short() {
    let (_dir, path) = file(b"hello, world");
    let mapping = Mapping::options().read(true).write(true).open(&path).unwrap();
    let mut bytes = [0; 8];
    for (offset, n) in [(0, 8), (7, 5), (12, 0), (13, 0), (u64::MAX, 0)] {
        assert_eq!(mapping.read_at(offset, &mut bytes).unwrap(), n, "{offset}");
    }
    mapping.set_len(14).unwrap();
    assert_eq!(mapping.read_at(7, &mut bytes).unwrap(), 7);
    mapping.set_len(8).unwrap();
    assert_eq!(mapping.read_at(7, &mut bytes).unwrap(), 1);
    let writer = Mapping::options().write(true).open(&path).unwrap();
    assert_eq!(writer.read_at(100, &mut []).unwrap_err(), ErrorKind::Eacces);
}

#[test]
fn every_kind_becomes_one_of_std_and_keeps_the_error() {
    use std::io;
    let table = [
        (ErrorKind::Badarg, io::ErrorKind::InvalidInput, "badarg"),
        (ErrorKind::Enomem, io::ErrorKind::OutOfMemory, "enomem"),
        (ErrorKind::Enoent, io::ErrorKind::NotFound, "enoent"),
        (ErrorKind::Eacces, io::ErrorKind::PermissionDenied, "eacces"),
        (ErrorKind::Closed, io::ErrorKind::Other, "closed"),
        (ErrorKind::OutOfBounds, io::ErrorKind::UnexpectedEof, "out-of-bounds"),
        (ErrorKind::Sigbus, io::ErrorKind::UnexpectedEof, "sigbus"),
        (ErrorKind::Eexist, io::ErrorKind::AlreadyExists, "eexist"),
        (ErrorKind::Enotreg, io::ErrorKind::InvalidInput, "enotreg"),
        (ErrorKind::Enospc, io::ErrorKind::StorageFull, "enospc"),
        (ErrorKind::Efbig, io::ErrorKind::FileTooLarge, "efbig"),
        (ErrorKind::Emfile, io::ErrorKind::Other, "emfile"),
        (ErrorKind::LimitExceeded, io::ErrorKind::QuotaExceeded, "limit-exceeded"),
        (ErrorKind::Enotsup, io::ErrorKind::Unsupported, "enotsup"),
        (ErrorKind::Eio, io::ErrorKind::Other, "eio"),
        (ErrorKind::Other, io::ErrorKind::Other, "other"),
    ];
    for (kind, std, name) in table {
        assert_eq!(kind.name(), name);
        let error = Error::from(kind);
        let words = error.to_string();
        assert!(!words.is_empty());
        let converted = io::Error::from(error);
        assert_eq!((converted.kind(), converted.to_string()), (std, words));
        assert_eq!(converted.downcast::<Error>().expect("the error itself"), kind);
    }
}
