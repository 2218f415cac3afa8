//! What the real crate's tests hold it to, written anew: what a map answers, natively and in a component.
//! README.md has them one by one.

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

#[test]
fn a_map_is_locked_and_let_go_of() {
    let (_dir, file, _) = file(&[7; 300]);
    // SAFETY: nobody changes the file.
    let map = unsafe { MmapOptions::new().offset(100).map(&file) }.unwrap();
    map.lock().unwrap();
    #[cfg(target_os = "linux")]
    assert!(locked_around(map.as_ptr()).unwrap() > 0);
    assert_eq!(&map[..], &[7; 200]);
    map.unlock().unwrap();
    #[cfg(target_os = "linux")]
    assert_eq!(locked_around(map.as_ptr()), Some(0));
    map.unlock().unwrap();
    let memory = MmapMut::map_anon(300).unwrap();
    let locked = memory.lock();
    if cfg!(target_arch = "wasm32") {
        assert_eq!(locked.unwrap_err().kind(), ErrorKind::Unsupported);
        return;
    }
    locked.unwrap();
    memory.unlock().unwrap();
    memory.lock().unwrap();
    #[cfg(target_os = "linux")]
    {
        use memmap2::RemapOptions;
        let mut memory = memory;
        let mut at = memory.as_ptr();
        assert!(locked_around(at).is_some_and(|kib| kib > 0));
        // Longer in the same place, and elsewhere.
        for len in [9000, 300_000] {
            // SAFETY: no slice is kept.
            unsafe { memory.remap(len, RemapOptions::new().may_move(true)) }.unwrap();
            let before = std::mem::replace(&mut at, memory.as_ptr());
            let kib = locked_around(at).unwrap();
            assert!(kib >= len as u64 >> 10, "{kib} KiB of {len} bytes are locked");
            assert!(before == at || locked_around(before).unwrap_or(0) == 0);
        }
        drop(memory);
        assert_eq!(locked_around(at).unwrap_or(0), 0, "memory that is nobody's is locked");
    }
}

#[cfg(target_arch = "wasm32")]
#[test]
fn a_file_that_was_closed_is_not_locked() {
    let (_dir, file, _) = file(&[7; 300]);
    // SAFETY: nobody changes the file.
    let map = unsafe { Mmap::map(&file) }.unwrap();
    drop(file);
    assert!(map.lock().is_err());
    assert_eq!(&map[..], &[7; 300]);
}

/// How many KiB are locked of what is mapped around an address, if something is.
#[cfg(target_os = "linux")]
fn locked_around(at: *const u8) -> Option<u64> {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in smaps.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let number = |hex| usize::from_str_radix(hex, 16);
        if let Some((Ok(from), Ok(to))) = range.map(|(from, to)| (number(from), number(to))) {
            inside = (from..to).contains(&at.addr());
        } else if let Some(kib) = line.strip_prefix("Locked:").filter(|_| inside) {
            return Some(kib.trim().strip_suffix(" kB").unwrap().parse().unwrap());
        }
    }
    assert!(!inside, "{smaps}");
    None
}

#[cfg(target_os = "linux")]
#[test]
fn a_map_becomes_longer_and_shorter() {
    use memmap2::RemapOptions;
    let bytes: Vec<u8> = (0..200_000u32).map(|at| (at / 7) as u8).collect();
    let (_dir, file, _) = file(&bytes);
    let (stays, moves) = (RemapOptions::new(), RemapOptions::new().may_move(true));
    for offset in [0, 77, 4096] {
        // SAFETY: nobody else changes the file, and no slice is kept.
        unsafe {
            let mut map = MmapOptions::new().offset(offset as u64).len(100).map_mut(&file).unwrap();
            map.remap(150_000, moves).unwrap();
            assert!(map[..] == bytes[offset..offset + 150_000]);
            map.copy_from_slice(&bytes[offset..offset + 150_000]);
            map.remap(10, stays).unwrap();
            assert!(map[..] == bytes[offset..offset + 10]);
            map.remap(0, stays).unwrap();
            assert!(map.is_empty());
            map.remap(5000, moves).unwrap();
            assert!(map[..] == bytes[offset..offset + 5000]);
            let long = map.remap(usize::MAX, moves).unwrap_err();
            assert_eq!((long.kind(), map.len()), (ErrorKind::InvalidData, 5000));
        }
    }
    let mut memory = MmapMut::map_anon(100).unwrap();
    memory[99] = 7;
    // SAFETY: no slice is kept.
    unsafe {
        assert!(memory.remap(1 << 20, stays).is_err());
        memory.remap(1 << 20, moves).unwrap();
        assert_eq!((memory[99], memory[100], memory.len()), (7, 0, 1 << 20));
        memory[70] = 7;
        memory[200_000] = 7;
        memory.remap(50, stays).unwrap();
        memory.remap(1 << 20, stays).unwrap();
        assert_eq!((memory[49], memory.len()), (0, 1 << 20));
        assert!(memory[50..].iter().all(|byte| *byte == 0), "what was cut off is there again");
        // Where it would be more than it has, and may not move.
        assert!(memory.remap((1 << 20) + 1, stays).is_err());
    }
}

#[test]
fn maps_are_sent_and_shared_and_never_executed() {
    fn everywhere<T: Send + Sync>(_: &T) {}
    let (_dir, file, _) = file(b"hello, world");
    let raw = MmapRaw::map_raw(&file).unwrap();
    everywhere(&raw);
    let memory = MmapMut::map_anon(3).unwrap();
    everywhere(&memory);
    everywhere(&MmapOptions::new());
    assert_eq!(memory.make_exec().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_sealed_is_mapped_without_unsafe() {
    use std::os::fd::{AsRawFd, FromRawFd};
    // SAFETY: the name is a string, and the descriptor nobody else's.
    let mut file = unsafe {
        let file = libc::memfd_create(c"sealed".as_ptr(), libc::MFD_ALLOW_SEALING);
        assert!(file >= 0, "{}", std::io::Error::last_os_error());
        File::from_raw_fd(file)
    };
    file.write_all(b"hello, world").unwrap();
    for seal in [libc::F_SEAL_SHRINK, libc::F_SEAL_WRITE] {
        assert!(Mmap::map_if_safe(&file).unwrap_err().not_safe());
        // SAFETY: it takes a number.
        assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seal) }, 0);
    }
    assert_eq!(&Mmap::map_if_safe(&file).unwrap()[..], b"hello, world");
    let part = MmapOptions::new().offset(7).len(5).map_if_safe(&file).unwrap();
    assert_eq!(&part[..], b"world");
}
