//! The crate where it is no component: mappings that are ordinary files. That they answer as the
//! host does is tested beside it, in `tests/tests/wasm/rust_guest.rs`; here is what needs no host.

use iommap_guest::{Advice, Error, ErrorCode, Mapping, Range, SyncMode};
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
fn given_a_private_mapping_when_written_then_the_file_stays_as_it_was() {
    let (_dir, path) = file(b"hello, world");
    let mapping = Mapping::options().read(true).write(true).private(true).open(&path).unwrap();
    mapping.write_all_at(7, b"there").unwrap();
    mapping.write_all_at(0, b"J").unwrap();
    assert_eq!(mapping.read_to_vec(0, 12).unwrap(), b"Jello, there");
    mapping.sync().unwrap();
    assert_eq!(mapping.set_len(1).unwrap_err().code(), ErrorCode::Eacces);
    assert_eq!(fs::read(&path).unwrap(), b"hello, world");
}

#[test]
fn given_a_failed_open_when_looked_at_then_the_world_is_as_it_was() {
    let (dir, path) = file(b"hello");
    let none = dir.path().join("none");
    let mut options = Mapping::options();
    options.read(true).write(true).create(true).truncate(true).size(u64::MAX);
    for path in [&path, &none] {
        assert_eq!(options.open(path).unwrap_err().code(), ErrorCode::Efbig, "{path:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"hello");
    assert!(!none.exists());
}

#[test]
fn given_two_mappings_of_a_file_when_one_writes_then_the_other_reads_it() {
    let (_dir, path) = file(&[0; 100]);
    let writer = Mapping::options().write(true).open(path.as_os_str()).unwrap();
    let reader = Mapping::open(path.to_str().unwrap()).unwrap();
    writer.write_many(&[Range::new(0, 1), (90..95).into()], b"abcdef").unwrap();
    writer.sync_with(SyncMode::Async).unwrap();
    let mut bytes = [0; 6];
    reader.read_many_into(&[Range::new(0, 1), Range::from((90, 5))], &mut bytes).unwrap();
    assert_eq!(&bytes, b"abcdef");
    assert_eq!(writer.read_at(0, &mut bytes).unwrap_err().code(), ErrorCode::Eacces);
    let badarg = reader.read_many_into(&[Range::new(0, 1)], &mut bytes).unwrap_err();
    assert_eq!(badarg.code(), ErrorCode::Badarg);
    reader.advise(50, 50, Advice::WillNeed).unwrap();
    assert_eq!(reader.advise(50, 51, Advice::Normal).unwrap_err().code(), ErrorCode::OutOfBounds);
    writer.close().unwrap();
}

#[cfg(unix)]
#[test]
fn given_a_pipe_or_a_link_to_nothing_when_opened_then_it_neither_waits_nor_creates() {
    let (dir, _) = file(b"");
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path().join("none"), &link).unwrap();
    let mut options = Mapping::options();
    options.read(true).write(true).create(true);
    assert_eq!(options.open(&pipe).unwrap_err().code(), ErrorCode::Enotreg);
    assert_eq!(options.open(&link).unwrap_err().code(), ErrorCode::Enoent);
    assert!(!dir.path().join("none").exists());
}

#[test]
fn given_every_code_when_converted_then_std_has_a_kind_and_keeps_the_error() {
    use std::io::{self, ErrorKind};
    let table = [
        (ErrorCode::Badarg, ErrorKind::InvalidInput, "badarg"),
        (ErrorCode::Enomem, ErrorKind::OutOfMemory, "enomem"),
        (ErrorCode::Enoent, ErrorKind::NotFound, "enoent"),
        (ErrorCode::Eacces, ErrorKind::PermissionDenied, "eacces"),
        (ErrorCode::Closed, ErrorKind::Other, "closed"),
        (ErrorCode::OutOfBounds, ErrorKind::UnexpectedEof, "out-of-bounds"),
        (ErrorCode::Sigbus, ErrorKind::UnexpectedEof, "sigbus"),
        (ErrorCode::Eexist, ErrorKind::AlreadyExists, "eexist"),
        (ErrorCode::Enotreg, ErrorKind::InvalidInput, "enotreg"),
        (ErrorCode::Enospc, ErrorKind::StorageFull, "enospc"),
        (ErrorCode::Efbig, ErrorKind::FileTooLarge, "efbig"),
        (ErrorCode::Emfile, ErrorKind::Other, "emfile"),
        (ErrorCode::LimitExceeded, ErrorKind::QuotaExceeded, "limit-exceeded"),
        (ErrorCode::Enotsup, ErrorKind::Unsupported, "enotsup"),
        (ErrorCode::Eio, ErrorKind::Other, "eio"),
        (ErrorCode::Other(None), ErrorKind::Other, "other"),
        (ErrorCode::Other(Some("words".into())), ErrorKind::Other, "other"),
    ];
    for (code, kind, name) in table {
        assert_eq!(code.name(), name);
        let error = Error::from(code.clone());
        let words = error.to_string();
        assert!(
            !words.is_empty()
                && (code != ErrorCode::Other(Some("words".into())) || words == "words")
        );
        let converted = io::Error::from(error);
        assert_eq!((converted.kind(), converted.to_string()), (kind, words));
        assert_eq!(converted.downcast::<Error>().expect("the error itself").into_code(), code);
    }
}
