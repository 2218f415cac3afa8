use super::super::SharedMemory;
use super::*;
use crate::grants::Grants;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::io;
use std::ptr;

const UNIT: usize = GRAIN as usize;

/// A place of a program's own, with fives in it.
struct Place {
    at: *mut u8,
    length: usize,
}

impl Place {
    fn new(length: usize) -> Place {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let at = unsafe { mmap_anonymous(ptr::null_mut(), length, access, MapFlags::PRIVATE) };
        let at = at.unwrap().cast::<u8>();
        // SAFETY: mapped just now.
        unsafe { at.write_bytes(5, length) };
        Place { at, length }
    }

    fn byte(&self, at: usize) -> u8 {
        assert!(at < self.length);
        // SAFETY: mapped.
        unsafe { self.at.add(at).read_volatile() }
    }

    fn store(&self, at: usize, byte: u8) {
        assert!(at < self.length);
        // SAFETY: mapped, and nothing refers to it.
        unsafe { self.at.add(at).write_volatile(byte) };
    }

    fn put(&self, shown: &Shown) -> Result<(), Error> {
        assert!(shown.span() <= self.length);
        // SAFETY: the place is this value's, and nothing refers to it.
        unsafe { shown.put(self.at) }
    }

    fn clear(&self, length: usize) {
        assert!(length <= self.length);
        // SAFETY: as for `put`.
        unsafe { clear(self.at, length) }.unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // SAFETY: it is ours, and nobody uses it any more.
        unsafe { rustix::mm::munmap(self.at.cast(), self.length) }.unwrap();
    }
}

fn file(length: usize) -> Arc<File> {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&pattern(length), 0).unwrap();
    Arc::new(file)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

/// A mapping of a store that may have so many windows.
fn mapped(file: &Arc<File>, options: &OpenOptions, windows: u64) -> Mapped {
    let usage = Usage::new(Limits { windows, ..Limits::default() });
    open_file(file, "file", FsPerms::ReadWrite, &usage, options, false).unwrap()
}

fn reading() -> OpenOptions {
    OpenOptions::new().read(true)
}

fn both() -> OpenOptions {
    reading().write(true)
}

fn shown(mapped: &Mapped, offset: u64, length: u64, shared: bool) -> Result<Shown, Error> {
    let range = Range { offset, length };
    mapped.check_window(range, shared)?;
    mapped.show(range, shared)
}

#[test]
fn what_is_put_is_the_file_and_what_is_cleared_is_zeros() {
    let file = file(3 * UNIT + 100);
    let mapped = mapped(&file, &reading(), 1);
    let place = Place::new(3 * UNIT);
    let window = shown(&mapped, UNIT as u64, 2 * UNIT as u64 + 100, false).unwrap();
    assert_eq!(window.span(), (2 * UNIT + 100).next_multiple_of(rustix::param::page_size()));
    place.put(&window).unwrap();
    let bytes = pattern(3 * UNIT + 100);
    for at in [0, 1, UNIT, 2 * UNIT + 99] {
        assert_eq!(place.byte(at), bytes[UNIT + at]);
    }
    assert_eq!((place.byte(2 * UNIT + 100), place.byte(window.span())), (0, 5));
    // What is stored there stays there.
    place.store(7, 200);
    let mut byte = [0];
    file.read_exact_at(&mut byte, UNIT as u64 + 7).unwrap();
    assert_eq!((place.byte(7), byte[0]), (200, bytes[UNIT + 7]));
    place.clear(window.span());
    assert_eq!((place.byte(7), place.byte(UNIT), place.byte(window.span())), (0, 0, 5));
}

#[test]
fn what_is_stored_in_a_shared_window_is_in_the_file() {
    let file = file(UNIT);
    let mapped = mapped(&file, &both(), 1);
    let place = Place::new(UNIT);
    place.put(&shown(&mapped, 0, 100, true).unwrap()).unwrap();
    place.store(9, 250);
    let mut byte = [0];
    file.read_exact_at(&mut byte, 9).unwrap();
    assert_eq!(byte[0], 250);
}

#[test]
fn what_can_not_be_put_leaves_what_is_there() {
    let place = Place::new(UNIT);
    let file = tempfile::NamedTempFile::new().unwrap();
    let reading = Arc::new(File::open(file.path()).unwrap());
    // The kernel maps no file for writing that is open for reading.
    let window = Shown { file: reading, _memory: None, offset: 0, length: UNIT, shared: true };
    assert_eq!(place.put(&window).unwrap_err(), ErrorKind::Eacces);
    assert!((0..UNIT).all(|at| place.byte(at) == 5));
}

#[test]
fn what_a_file_system_refuses_leaves_what_is_there() {
    let place = Place::new(2 * UNIT);
    // Nothing is wrong with the call, so that the kernel gets as far as asking whose file it is: here a
    // socket's, which can't be mapped.
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let socket = Arc::new(File::from(std::os::fd::OwnedFd::from(socket)));
    let window = Shown { file: socket, _memory: None, offset: 0, length: UNIT, shared: true };
    assert_eq!(place.put(&window).unwrap_err(), ErrorKind::Enotsup);
    assert!((0..2 * UNIT).all(|at| place.byte(at) == 5));
}

#[test]
fn a_hole_that_was_left_is_filled() {
    let page = rustix::param::page_size();
    let place = Place::new(4 * page);
    mend(place.at, place.length);
    assert!((0..place.length).all(|at| place.byte(at) == 5), "nothing is missing");
    // SAFETY: two pages of the place, which are there again below.
    unsafe { rustix::mm::munmap(place.at.add(page).cast(), 2 * page) }.unwrap();
    mend(place.at.wrapping_add(page), 2 * page);
    assert_eq!((place.byte(0), place.byte(page), place.byte(3 * page)), (5, 0, 5));
    place.store(3 * page - 1, 1);
}

#[test]
fn a_window_is_refused_for_what_the_mapping_does_not_allow() {
    let file = file(2 * UNIT);
    let (unit, kind) = (UNIT as u64, |result: Result<Shown, Error>| result.unwrap_err().kind());
    let read = mapped(&file, &reading(), 1);
    assert_eq!(kind(shown(&read, 0, unit, true)), ErrorKind::Eacces);
    assert_eq!(kind(shown(&read, 0, 2 * unit + 1, false)), ErrorKind::OutOfBounds);
    assert_eq!(kind(shown(&read, u64::MAX, 2, false)), ErrorKind::OutOfBounds);
    assert_eq!(kind(shown(&read, 4096, unit, false)), ErrorKind::Badarg);
    assert_eq!(kind(shown(&read, unit, 0, false)), ErrorKind::Badarg);
    let write = mapped(&file, &OpenOptions::new().write(true), 1);
    assert_eq!(kind(shown(&write, 0, unit, false)), ErrorKind::Eacces);
    let private = mapped(&file, &both().private(true), 1);
    assert_eq!(kind(shown(&private, 0, unit, false)), ErrorKind::Enotsup);
    assert_eq!(kind(shown(&private, 0, unit, true)), ErrorKind::Eacces);
    let none = mapped(&file, &reading(), 0);
    assert_eq!(kind(shown(&none, 0, unit, false)), ErrorKind::Enotsup);
    let mut closed = mapped(&file, &reading(), 1);
    drop(closed.close());
    assert_eq!(kind(shown(&closed, u64::MAX, 2, true)), ErrorKind::Closed);
    assert!(shown(&mapped(&file, &reading().private(true), 1), unit, 1, false).is_ok());
    assert!(shown(&mapped(&file, &both(), 1), unit, unit, true).is_ok());
}

#[test]
fn only_what_is_sealed_against_writing_and_cutting_is_frozen() {
    let frozen = |seals: SealFlags| {
        let file = File::from(memfd_create(c"test", MemfdFlags::ALLOW_SEALING).unwrap());
        file.set_len(4096).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        platform::is_frozen(&file)
    };
    let (write, shrink) = (SealFlags::WRITE, SealFlags::SHRINK);
    assert!(frozen(write | shrink) && frozen(write | shrink | SealFlags::SEAL));
    // Who has it mapped for writing already still writes.
    assert!(!frozen(SealFlags::FUTURE_WRITE | shrink | SealFlags::GROW));
    assert!(!frozen(write) && !frozen(shrink) && !frozen(SealFlags::SEAL));
    assert!(!platform::is_frozen(&tempfile::tempfile().unwrap()));
}

#[test]
fn an_immutable_file_is_not_frozen() {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    let file = tempfile::NamedTempFile::new().unwrap();
    let was = ioctl_getflags(&file).unwrap_or(IFlags::empty());
    if let Err(errno) = ioctl_setflags(&file, was | IFlags::IMMUTABLE) {
        println!("skipped: no file can be made immutable here ({errno})");
        return;
    }
    let frozen = platform::is_frozen(file.as_file());
    ioctl_setflags(&file, was).unwrap();
    assert!(!frozen, "whoever made it so may write to it again");
}

#[test]
fn a_frozen_copy_has_the_files_bytes_and_keeps_them() {
    let original = file(2 * UNIT + 5);
    let copy = Mapping::frozen_copy(&original).unwrap();
    original.write_all_at(b"changed", 0).unwrap();
    original.set_len(10).unwrap();
    assert_eq!(copy.len().unwrap(), 2 * UNIT as u64 + 5);
    let mut bytes = vec![0; 2 * UNIT + 5];
    copy.pread(0, &mut bytes).unwrap();
    assert!(bytes == pattern(2 * UNIT + 5));
    assert_eq!(copy.pwrite(0, b"x").unwrap_err(), ErrorKind::Eacces);
    let window = shown(&copy.shared(), 0, UNIT as u64, false).unwrap();
    assert!(window.is_frozen());
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&*window.file));
    let again = File::options().write(true).open(path).unwrap();
    assert_eq!(again.write_at(b"x", 0).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(again.set_len(0).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn a_frozen_copys_holes_take_no_memory() {
    let original = tempfile::tempfile().unwrap();
    original.set_len(1 << 30).unwrap();
    original.write_all_at(b"x", 1 << 29).unwrap();
    let copy = platform::frozen_copy(&original).unwrap();
    use std::os::unix::fs::MetadataExt;
    let stat = copy.metadata().unwrap();
    assert_eq!(stat.len(), 1 << 30);
    assert!(stat.blocks() * 512 <= 16 << 20, "{} blocks", stat.blocks());
    let mut byte = [0];
    copy.read_exact_at(&mut byte, 1 << 29).unwrap();
    assert_eq!(&byte, b"x");
    assert_eq!(Mapping::frozen_copy(&tempfile::tempfile().unwrap()).unwrap().len(), Ok(0));
}

#[test]
fn reading_in_ends_where_the_file_does() {
    let file = file(2 * UNIT);
    let mapped = mapped(&file, &reading(), 1);
    let window = shown(&mapped, UNIT as u64, UNIT as u64, false).unwrap();
    file.set_len(UNIT as u64 + 10).unwrap();
    window.read_in(window.whole());
    file.set_len(0).unwrap();
    window.read_in(Range { offset: 5, length: 100 });
    let place = Place::new(UNIT);
    place.put(&window).unwrap();
    // SAFETY: the place's own pages, which are lost.
    unsafe {
        populate(place.at, window.span(), true);
        populate(place.at, window.span(), false);
    }
}

#[test]
fn a_region_counts_for_as_long_as_it_has_a_window() {
    let memory = SharedMemory::new(2 * GRAIN);
    let mut grants = Grants::default();
    grants.shared_memory("/shm", &memory, FsPerms::ReadWrite);
    let usage = Usage::new(Limits { windows: 1, ..Limits::default() });
    let mapped = grants.map(&usage, "/shm/f", &both().create(true).size(GRAIN)).unwrap();
    let place = Place::new(UNIT);
    let window = shown(&mapped, 0, GRAIN, true).unwrap();
    place.put(&window).unwrap();
    place.store(9, 250);
    drop(mapped);
    assert!(memory.remove("f"));
    assert_eq!((place.byte(9), memory.used_bytes()), (250, GRAIN));
    place.clear(window.span());
    drop(window);
    assert_eq!(memory.used_bytes(), 0);
}
