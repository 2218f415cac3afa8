//! Locks outside of wasm: those of the system, with the host's checks.
#![cfg(any(target_os = "linux", target_os = "macos"))]

use iommap_guest::{ErrorKind, LockMode, LockWait, Locked, Mapping, Range};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// A directory with a file, and mappings of it for reading and writing.
fn mappings<const N: usize>() -> (TempDir, [Mapping; N]) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("f");
    std::fs::write(&path, "contents").unwrap();
    let open = |_| Mapping::options().read(true).write(true).open(&path).unwrap();
    (dir, [(); N].map(open))
}

#[test]
fn mappings_keep_each_other_out_by_ranges_and_modes() {
    let (_dir, [one, other]) = mappings();
    let (shared, exclusive) = (LockMode::Shared, LockMode::Exclusive);
    assert_eq!(one.lock_range(0..10, exclusive, LockWait::No).unwrap(), Locked::Yes);
    assert_eq!(other.lock_range(9..10, shared, LockWait::No).unwrap(), Locked::Busy);
    let a_moment = LockWait::For(Duration::from_millis(20));
    assert_eq!(other.lock_range(9..10, shared, a_moment).unwrap(), Locked::Busy);
    assert_eq!(other.lock_range((10, 0), exclusive, LockWait::Forever).unwrap(), Locked::Yes);
    assert!(!other.would_lock(0..1, shared).unwrap() && other.would_lock(10..11, shared).unwrap());
    one.unlock_range(0..5).unwrap();
    assert_eq!(other.lock_range(0..5, exclusive, LockWait::No).unwrap(), Locked::Yes);
    assert_eq!(one.lock_range(5..10, shared, LockWait::No).unwrap(), Locked::Yes);
    assert_eq!(other.lock_range(5..10, shared, LockWait::No).unwrap(), Locked::Yes);
}

#[test]
fn whole_files_are_locked_until_the_mapping_goes() {
    let (_dir, [one, other]) = mappings();
    one.lock_shared().unwrap();
    assert!(other.try_lock_shared().unwrap() && !other.try_lock().unwrap());
    other.unlock().unwrap();
    one.lock().unwrap();
    assert!(!other.try_lock_shared().unwrap());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| other.lock());
        thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        one.close().unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn what_may_not_be_locked_is_refused_with_words() {
    let (dir, [writer]) = mappings();
    let path = dir.path().join("f");
    let reader = Mapping::open(&path).unwrap();
    let private = Mapping::options().read(true).write(true).private(true).open(&path).unwrap();
    for mapping in [&reader, &private] {
        assert!(mapping.try_lock_shared().unwrap());
        let error = mapping.try_lock().unwrap_err();
        assert_eq!(error, ErrorKind::Eacces);
        assert!(error.to_string().starts_with("cannot lock all of "), "{error}");
    }
    for range in [Range::new(u64::MAX, 1), Range::new(1, (1 << 63) - 1), Range::new(1 << 63, 0)] {
        let error = writer.would_lock(range, LockMode::Shared).unwrap_err();
        assert_eq!(error, ErrorKind::Badarg, "{range:?}");
        assert_eq!(writer.unlock_range(range).unwrap_err(), ErrorKind::Badarg, "{range:?}");
    }
    let error = reader.lock_range(3..9, LockMode::Exclusive, LockWait::No).unwrap_err();
    assert!(error.to_string().starts_with("cannot lock 6 bytes at offset 3 of "), "{error}");
}
