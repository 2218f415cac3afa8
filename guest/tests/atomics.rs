//! Words outside of wasm: those of a page of the file, with the host's checks.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use iommap_guest::{ErrorKind, Mapping, OpenOptions, Waited};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// A directory with a file of two pages, and mappings of it.
fn mappings<const N: usize>(
    change: fn(&mut OpenOptions) -> &mut OpenOptions,
) -> (TempDir, [Mapping; N]) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("f");
    std::fs::write(&path, [0; 8192]).unwrap();
    let mappings = [(); N].map(|()| change(&mut Mapping::options()).open(&path).unwrap());
    (dir, mappings)
}

#[test]
fn mappings_agree_on_a_word_by_every_operation() {
    let (dir, [one, other]) = mappings(|options| options.read(true).write(true));
    let (word, same) = (one.atomic_u64(8), other.atomic_u64(8));
    word.store(6).unwrap();
    assert_eq!(same.fetch_add(u64::MAX).unwrap(), 6);
    assert_eq!(word.fetch_sub(2).unwrap(), 5);
    assert_eq!(same.fetch_or(12).unwrap(), 3);
    assert_eq!(word.fetch_and(6).unwrap(), 15);
    assert_eq!(same.fetch_xor(5).unwrap(), 6);
    assert_eq!(word.swap(1 << 40).unwrap(), 3);
    assert_eq!(same.compare_exchange(7, 9).unwrap(), Err(1 << 40));
    assert_eq!(word.compare_exchange(1 << 40, 0x0807_0605_0403_0201).unwrap(), Ok(1 << 40));
    assert_eq!(one.atomic_u32(12).fetch_add(1).unwrap(), 0x0807_0605);
    assert_eq!(other.atomic_u32(12).fetch_sub(2).unwrap(), 0x0807_0606);
    let file = std::fs::read(dir.path().join("f")).unwrap();
    assert_eq!(file[8..16], [1, 2, 3, 4, 4, 6, 7, 8]);
    assert!(file[..8].iter().chain(&file[16..]).all(|&byte| byte == 0));
    assert_eq!(format!("{word:?}"), "AtomicU64 { offset: 8, .. }");
}

#[test]
fn threads_that_add_lose_nothing() {
    let (_dir, mappings) = mappings::<3>(|options| options.read(true).write(true));
    thread::scope(|scope| {
        for mapping in &mappings {
            scope.spawn(|| {
                for _ in 0..1000 {
                    mapping.atomic_u32(4096).fetch_add(1).unwrap();
                }
            });
        }
    });
    assert_eq!(mappings[0].atomic_u32(4096).load().unwrap(), 3000);
}

#[test]
fn what_may_not_be_done_to_a_word_is_refused_in_order() {
    let (dir, [reader]) = mappings(|options| options.read(true));
    let path = dir.path().join("f");
    assert_eq!(reader.atomic_u32(8).load().unwrap(), 0);
    let error = reader.atomic_u32(8).store(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Eacces);
    assert!(error.to_string().starts_with("cannot use the word at offset 8 of /"), "{error}");
    assert_eq!(reader.atomic_u32(1).swap(1).unwrap_err(), ErrorKind::Eacces);
    assert_eq!(reader.atomic_u32(2).load().unwrap_err(), ErrorKind::Badarg);
    assert_eq!(reader.atomic_u64(8196).load().unwrap_err(), ErrorKind::Badarg);
    assert_eq!(reader.atomic_u32(8192).load().unwrap_err(), ErrorKind::OutOfBounds);
    assert_eq!(reader.atomic_u32(8).notify(1).unwrap_err(), ErrorKind::Eacces);

    let writer = Mapping::options().write(true).open(&path).unwrap();
    writer.atomic_u64(8).store(7).unwrap();
    assert_eq!(writer.atomic_u64(8).load().unwrap_err(), ErrorKind::Eacces);
    assert_eq!(writer.atomic_u64(8).fetch_or(7).unwrap_err(), ErrorKind::Eacces);
    let private = Mapping::options().read(true).write(true).private(true).open(&path).unwrap();
    private.write_all_at(8, &[9]).unwrap();
    assert_eq!(private.atomic_u64(8).load().unwrap(), 9);
    assert_eq!(private.atomic_u64(8).store(1).unwrap_err(), ErrorKind::Eacces);
    assert_eq!(private.atomic_u32(8).wait(9, None).unwrap_err(), ErrorKind::Eacces);

    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(4096).unwrap();
    assert_eq!(reader.atomic_u32(4096).load().unwrap_err(), ErrorKind::Sigbus);
    assert_eq!(writer.atomic_u64(8184).store(1).unwrap_err(), ErrorKind::Sigbus);
    let error = reader.atomic_u32(8188).wait(0, None).unwrap_err();
    assert_eq!(error, ErrorKind::Sigbus);
    assert!(error.to_string().starts_with("cannot wait on the word at offset 8188"), "{error}");
    assert_eq!(reader.atomic_u64(8).load().unwrap(), 7);
}

#[test]
fn who_waits_is_woken_by_another_mapping() {
    let (_dir, [one, other]) = mappings(|options| options.read(true).write(true));
    let (word, same) = (one.atomic_u32(4), other.atomic_u32(4));
    assert_eq!(word.wait(1, None).unwrap(), Waited::NotEqual);
    assert_eq!(word.wait(0, Some(Duration::from_millis(5))).unwrap(), Waited::TimedOut);
    thread::scope(|scope| {
        let waiting = scope.spawn(move || same.wait(0, None));
        while word.notify(u32::MAX).unwrap() == 0 {
            thread::yield_now();
        }
        assert_eq!(waiting.join().unwrap().unwrap(), Waited::Woken);
    });
    assert_eq!(word.notify(0).unwrap(), 0);
}
