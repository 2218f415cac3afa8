//! What the real crate's tests hold it to, written anew: what a map answers. In a component the same is
//! held by `guest-example/maxminddb`, and by the windows' own tests.

use memmap2::{Advice, Mmap, MmapMut, MmapOptions, MmapRaw};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};

fn file(content: &[u8]) -> (tempfile::TempDir, File, std::path::PathBuf) {
    // Where a component has one, too.
    let dir = tempfile::tempdir_in("/tmp").expect("a directory");
    let path = dir.path().join("f");
    fs::write(&path, content).expect("a file");
    let file = OpenOptions::new().read(true).write(true).open(&path).expect("the file");
    (dir, file, path)
}

#[test]
fn a_map_reads_what_the_file_holds_from_any_offset() {
    let bytes: Vec<u8> = (0..200_000u32).map(|at| (at / 7) as u8).collect();
    let (_dir, file, _) = file(&bytes);
    // SAFETY: nobody changes the file.
    let map = unsafe { Mmap::map(&file) }.unwrap();
    assert!(map[..] == bytes && map.as_ref().len() == bytes.len());
    for offset in [0, 1, 4095, 4096, 65_536, 131_073] {
        let mut options = MmapOptions::new();
        options.offset(offset as u64);
        // SAFETY: as above.
        let map = unsafe { options.map(&file) }.unwrap();
        assert!(map[..] == bytes[offset..]);
        // SAFETY: as above.
        let map = unsafe { options.len(100).populate().map(&file) }.unwrap();
        assert!(map[..] == bytes[offset..offset + 100]);
    }
    map.advise(Advice::Random).unwrap();
    map.advise_range(Advice::WillNeed, 5, 70_000).unwrap();
    let past = map.advise_range(Advice::WillNeed, 199_999, 2).unwrap_err();
    assert_eq!(past.kind(), ErrorKind::InvalidInput);
}

#[test]
fn an_empty_file_is_an_empty_map() {
    let (_dir, file, _) = file(b"");
    // SAFETY: nobody changes the file.
    let map = unsafe { Mmap::map(&file) }.unwrap();
    assert!(map.is_empty());
    assert!(MmapMut::map_anon(0).unwrap().is_empty());
}

#[test]
fn what_is_stored_in_a_shared_map_reaches_the_file() {
    let (_dir, file, path) = file(b"hello, world");
    // SAFETY: nobody else changes the file.
    let mut map = unsafe { MmapOptions::new().offset(7).map_mut(&file) }.unwrap();
    map.copy_from_slice(b"there");
    map.flush().unwrap();
    map.flush_async_range(1, 2).unwrap();
    assert_eq!(map.flush_range(1, 5).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(fs::read(&path).unwrap(), b"hello, there");
    let map = map.make_read_only().unwrap();
    assert_eq!(&map[..], b"there");
    let raw = MmapRaw::map_raw(&file).unwrap();
    // SAFETY: nobody has a slice of it.
    unsafe { raw.as_mut_ptr().write(b'J') };
    raw.flush().unwrap();
    assert_eq!(fs::read(path).unwrap(), b"Jello, there");
    assert_eq!(raw.len(), 12);
}

#[test]
fn what_is_stored_in_a_copy_stays_in_it() {
    let (_dir, _, path) = file(b"hello, world");
    let file = File::open(&path).unwrap();
    // SAFETY: nobody changes the file.
    let mut copy = unsafe { MmapOptions::new().map_copy(&file) }.unwrap();
    copy[0] = b'J';
    copy.flush().unwrap();
    assert_eq!(&copy[..5], b"Jello");
    // SAFETY: as above.
    let copy = unsafe { MmapOptions::new().map_copy_read_only(&file) }.unwrap();
    let mut copy = copy.make_mut().unwrap();
    copy[1] = b'u';
    assert_eq!(&copy[..5], b"hullo");
    assert_eq!(fs::read(&path).unwrap(), b"hello, world");
    // SAFETY: as above.
    let map = unsafe { Mmap::map(&file) }.unwrap();
    assert_eq!(map.make_mut().unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn memory_of_the_programs_own_is_zeros() {
    let mut map = MmapMut::map_anon(100_000).unwrap();
    assert!(map.iter().all(|byte| *byte == 0));
    (&mut map[..]).write_all(b"abc").unwrap();
    assert_eq!(&map.make_read_only().unwrap()[..4], b"abc\0");
    let too_long = MmapMut::map_anon(usize::MAX).unwrap_err();
    assert_eq!(too_long.kind(), ErrorKind::InvalidData);
}

#[test]
fn what_can_not_be_mapped_is_an_error() {
    let (_dir, _, path) = file(b"hello, world");
    let file = File::open(&path).unwrap();
    // SAFETY: nobody changes the file.
    unsafe {
        let past = MmapOptions::new().offset(13).map(&file).unwrap_err();
        assert_eq!(past.kind(), ErrorKind::InvalidData);
        let long = MmapOptions::new().len(13).map(&file).unwrap_err();
        assert_eq!(long.kind(), ErrorKind::InvalidInput);
        assert!(MmapMut::map_mut(&file).is_err(), "it is open for reading");
        let run = MmapOptions::new().map_exec(&file).unwrap_err();
        assert_eq!(run.kind(), ErrorKind::Unsupported);
        assert!(Mmap::map(-1).is_err());
    }
    let unsafe_one = Mmap::map_if_safe(&file).unwrap_err();
    assert!(unsafe_one.not_safe() && !unsafe_one.not_supported(), "{unsafe_one}");
    assert_eq!(std::io::Error::from(unsafe_one).kind(), ErrorKind::Unsupported);
}
