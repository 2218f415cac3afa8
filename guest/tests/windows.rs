//! Windows where there is no host: maps, watched by the guard, so that a guest's tests see what the
//! guest will see. That a host answers the same is tested in `tests/tests/wasm/windows_guest.rs`.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use iommap_guest::{ErrorKind, Mapping, View, Window, Windows};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use tempfile::TempDir;

const UNIT: usize = 64 << 10;

/// A directory with a file in it.
fn file(content: &[u8]) -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("f");
    fs::write(&path, content).expect("a file");
    (dir, path)
}

/// Bytes that differ from place to place, none of them 0.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251 + at / 65_521) as u8 | 1).collect()
}

#[test]
fn a_window_reads_what_the_file_holds_at_every_edge() {
    let bytes = pattern(5 * UNIT + 1000);
    let (_dir, path) = file(&bytes);
    let mapping = Mapping::open(&path).unwrap();
    for offset in [0, 1, UNIT - 1, UNIT, UNIT + 1, 3 * UNIT + 7] {
        for length in [1, 8, 4096, UNIT - 1, UNIT, UNIT + 1, bytes.len() - offset] {
            let Some(expected) = bytes.get(offset..offset + length) else { continue };
            let window = mapping.window((offset as u64, length as u64)).unwrap();
            assert_eq!((window.len(), window.offset()), (length, offset as u64));
            let mut read = vec![0; length];
            window.read_exact_at(0, &mut read).unwrap();
            assert!(read == expected, "{length} from {offset}");
            let last = [expected[length - 1]];
            assert_eq!(window.read_array(length - 1).unwrap(), last);
            assert_eq!(window.read_at(length - 1, &mut [0; 9]).unwrap(), 1);
            assert_eq!(window.read_at(usize::MAX, &mut [0; 9]).unwrap(), 0);
            let past = window.read_array::<2>(length - 1).unwrap_err();
            assert_eq!(past, ErrorKind::OutOfBounds);
            assert_eq!(window.u64_le_at(usize::MAX).unwrap_err(), ErrorKind::OutOfBounds);
            window.check().unwrap();
            window.prefetch(0..length).unwrap();
            assert_eq!(window.prefetch(0..length + 1).unwrap_err(), ErrorKind::OutOfBounds);
        }
    }
}

#[test]
fn numbers_are_read_in_either_order() {
    let (_dir, path) = file(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let mapping = Mapping::open(&path).unwrap();
    let window = mapping.window(0..9).unwrap();
    assert_eq!(window.u8_at(8).unwrap(), 9);
    assert_eq!(window.u16_le_at(1).unwrap(), 0x0302);
    assert_eq!(window.u16_be_at(1).unwrap(), 0x0203);
    assert_eq!(window.u32_le_at(1).unwrap(), 0x0504_0302);
    assert_eq!(window.u32_be_at(1).unwrap(), 0x0203_0405);
    assert_eq!(window.u64_le_at(1).unwrap(), 0x0908_0706_0504_0302);
    assert_eq!(window.u64_be_at(1).unwrap(), 0x0203_0405_0607_0809);
}

#[test]
fn a_lost_page_is_sigbus_until_the_window_moves() {
    let bytes = pattern(4 * UNIT);
    let (_dir, path) = file(&bytes);
    let mapping = Mapping::open(&path).unwrap();
    let mut window = mapping.window(0..bytes.len() as u64).unwrap();
    assert_eq!(window.u8_at(3 * UNIT).unwrap(), bytes[3 * UNIT]);
    let other = File::options().write(true).open(&path).unwrap();
    other.set_len(UNIT as u64).unwrap();
    assert_eq!(window.u8_at(0).unwrap(), bytes[0], "nothing was lost yet");
    let error = window.u8_at(3 * UNIT).unwrap_err();
    assert_eq!(error, ErrorKind::Sigbus);
    let words = error.to_string();
    assert!(words.starts_with("cannot read 1 bytes at offset 196608 of "), "{words}");
    assert_eq!(window.check().unwrap_err(), ErrorKind::Sigbus);
    assert_eq!(window.check_by_host().unwrap_err(), ErrorKind::Sigbus);
    assert_eq!(window.u8_at(0).unwrap_err(), ErrorKind::Sigbus);
    // A move that fails leaves it as it was.
    let refused = window.move_to(&mapping, 0..6 * UNIT as u64).unwrap_err();
    assert_eq!(refused, ErrorKind::Badarg);
    let refused = window.move_to(&mapping, (4 * UNIT as u64, 1)).unwrap_err();
    assert_eq!(refused, ErrorKind::OutOfBounds);
    assert_eq!(window.check().unwrap_err(), ErrorKind::Sigbus);
    window.move_to(&mapping, 10..bytes.len() as u64).unwrap();
    window.check().unwrap();
    assert_eq!(window.u8_at(0).unwrap(), bytes[10]);
    // What was never there is lost again.
    assert_eq!(window.u8_at(3 * UNIT).unwrap_err(), ErrorKind::Sigbus);
    other.write_all_at(&bytes, 0).unwrap();
    window.move_to(&mapping, 0..bytes.len() as u64).unwrap();
    assert_eq!(window.u8_at(3 * UNIT).unwrap(), bytes[3 * UNIT]);
    window.check_by_host().unwrap();
    window.close().unwrap();
}

#[test]
fn many_reads_with_one_look_hear_of_a_page_lost_among_them() {
    let bytes = pattern(4 * UNIT);
    let (_dir, path) = file(&bytes);
    let mapping = Mapping::open(&path).unwrap();
    let window = mapping.window(0..bytes.len() as u64).unwrap();
    let both =
        |view: View<'_>| (view.array(1), view.array(bytes.len() - 2), view.array(bytes.len() - 1));
    let (first, last, past) = window.read_with(both).unwrap();
    assert_eq!(first, bytes[1..].first_chunk::<2>().copied());
    assert_eq!(last, bytes.last_chunk::<2>().copied());
    assert_eq!(past, None::<[u8; 2]>);
    let (none, all) = window
        .read_with(|view| (view.array::<1>(usize::MAX), view.array::<0>(bytes.len())))
        .unwrap();
    assert_eq!((none, all), (None, Some([])));

    File::options().write(true).open(&path).unwrap().set_len(UNIT as u64).unwrap();
    let mut seen = None;
    let error = window.read_with(|view| seen = view.array::<4>(2 * UNIT)).unwrap_err();
    assert_eq!(error, ErrorKind::Sigbus);
    assert_eq!(seen, Some([0; 4]), "zeros until the look");
}

#[test]
fn a_loop_of_reads_hears_of_a_page_that_is_lost_meanwhile() {
    let bytes = pattern(2 * UNIT);
    let (_dir, path) = file(&bytes);
    let mapping = Mapping::open(&path).unwrap();
    let window = mapping.window(0..bytes.len() as u64).unwrap();
    let (first, cut) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        cut.recv().unwrap();
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    });
    let mut reads = 0u64;
    let error = loop {
        match window.u64_le_at(UNIT + 8) {
            Ok(number) => assert_eq!(number.to_le_bytes(), bytes[UNIT + 8..][..8]),
            Err(error) => break error,
        }
        reads += 1;
        if reads == 1000 {
            first.send(()).unwrap();
        }
    };
    assert!(error == ErrorKind::Sigbus && reads >= 1000, "{error} after {reads}");
    other.join().unwrap();
}

#[test]
fn a_window_outlives_its_mapping_and_leaves_memory_behind() {
    let bytes = pattern(3 * UNIT);
    let (_dir, path) = file(&bytes);
    let mapping = Mapping::open(&path).unwrap();
    let window = mapping.window(5..bytes.len() as u64).unwrap();
    mapping.close().unwrap();
    assert_eq!(window.u8_at(UNIT).unwrap(), bytes[UNIT + 5]);
    drop(window);
    let mapping = Mapping::open(&path).unwrap();
    for round in 0..200u64 {
        let mut window = mapping.window((round, 2 * UNIT as u64)).unwrap();
        // SAFETY: inside the window, of which nobody has a slice.
        unsafe { window.as_mut_ptr().write_bytes(0, window.len()) };
        drop(window);
        // Memory of the same size, which is likely to be the same, and nobody's file.
        assert!(std::hint::black_box(vec![0u8; 3 * UNIT]).iter().all(|byte| *byte == 0));
    }
    assert!(fs::read(&path).unwrap() == bytes);
}

#[test]
fn stores_stay_in_a_window_unless_it_is_shared() {
    let (_dir, path) = file(b"hello, world");
    let mapping = Mapping::options().read(true).write(true).open(&path).unwrap();
    let mut own = mapping.window(0..12).unwrap();
    // SAFETY: inside the window, of which nobody has a slice.
    unsafe { own.as_mut_ptr().write(b'J') };
    assert_eq!(&own.read_array::<5>(0).unwrap(), b"Jello");
    assert_eq!(fs::read(&path).unwrap(), b"hello, world");
    let mut shared = Window::options().shared(true).populate(true).open(&mapping, 7..12).unwrap();
    // SAFETY: as above.
    unsafe { shared.as_mut_ptr().copy_from(b"there".as_ptr(), 5) };
    assert_eq!(fs::read(&path).unwrap(), b"hello, there");
    assert_eq!(mapping.read_to_vec(7, 5).unwrap(), b"there");
}

#[test]
fn what_no_window_can_show_is_refused_by_its_kind() {
    let (_dir, path) = file(&[7; 100]);
    let mut options = Mapping::options();
    let reader = options.read(true).open(&path).unwrap();
    let both = options.write(true).open(&path).unwrap();
    let private = options.private(true).open(&path).unwrap();
    let writer = Mapping::options().write(true).open(&path).unwrap();
    let kind = |mapping: &Mapping, range: std::ops::Range<u64>, shared: bool| {
        let window = Window::options().shared(shared).open(mapping, range);
        window.map_err(|error| error.kind()).map(|window| window.len())
    };
    assert_eq!(kind(&reader, 10..10, false), Err(ErrorKind::Badarg));
    assert_eq!(kind(&reader, 0..101, false), Err(ErrorKind::OutOfBounds));
    assert_eq!(kind(&reader, 101..102, false), Err(ErrorKind::OutOfBounds));
    assert_eq!(kind(&reader, 0..100, true), Err(ErrorKind::Eacces));
    assert_eq!(kind(&writer, 0..100, false), Err(ErrorKind::Eacces));
    assert_eq!(kind(&private, 0..100, false), Err(ErrorKind::Enotsup));
    assert_eq!(kind(&private, 0..100, true), Err(ErrorKind::Eacces));
    assert_eq!(kind(&both, 99..100, true), Ok(1));
    let far = reader.window(u64::MAX - 5..u64::MAX).unwrap_err();
    assert_eq!(far, ErrorKind::OutOfBounds);
    let words = reader.window(0..101).unwrap_err().to_string();
    assert!(words.starts_with("cannot have a window on 101 bytes at offset 0 of "), "{words}");
}

/// A file that nobody can change any more, and a path to it.
fn sealed(bytes: &[u8]) -> (File, PathBuf) {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let flags = MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC;
    let file = File::from(memfd_create("sealed", flags).expect("a file in memory"));
    file.write_all_at(bytes, 0).unwrap();
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW).unwrap();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    (file, path.into())
}

#[test]
fn a_window_is_a_slice_where_the_file_is_frozen() {
    let bytes = pattern(3 * UNIT);
    let (_file, path) = sealed(&bytes);
    let mapping = Mapping::open(&path).unwrap();
    let mut window = mapping.frozen_window(100..bytes.len() as u64).unwrap();
    assert!(window[..] == bytes[100..] && window.as_ref().len() == bytes.len() - 100);
    window.move_to(&mapping, 0..200).unwrap();
    assert!(*window == bytes[..200]);
    assert_eq!(window.as_window().u8_at(199).unwrap(), bytes[199]);
    let (_dir, changing) = file(&bytes);
    let changing = Mapping::open(&changing).unwrap();
    assert_eq!(changing.frozen_window(0..100).unwrap_err(), ErrorKind::Enotsup);
    assert_eq!(window.move_to(&changing, 0..100).unwrap_err(), ErrorKind::Enotsup);
    assert!(*window == bytes[..200]);
}

#[test]
fn sliding_windows_read_what_the_file_holds() {
    let bytes = pattern(40 * UNIT + 12_345);
    let (_dir, path) = file(&bytes);
    let mapping = Mapping::open(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(13);
    for (windows, chunk) in [(0, UNIT), (1, UNIT), (3, 2 * UNIT), (64, UNIT), (2, 1 << 30)] {
        let mut sliding = Windows::with_capacity(windows, chunk, &mapping);
        for _ in 0..20_000 {
            // Mostly in one place that moves, and now and then anywhere.
            let near = random.usize(..bytes.len()) * usize::from(random.u8(..) < 4);
            let offset = (near + random.usize(..UNIT)) % bytes.len();
            let length = random.usize(..300).min(bytes.len() - offset);
            let expected = &bytes[offset..offset + length];
            if random.bool() {
                let mut read = vec![0; length];
                sliding.read_exact_at(offset as u64, &mut read).unwrap();
                assert!(read == expected, "{length} from {offset}");
            } else {
                let piece = sliding.get(offset as u64, length).unwrap();
                // SAFETY: nobody changes the file.
                assert!(unsafe { piece.as_slice() } == expected && piece.len() == length);
                piece.check().unwrap();
            }
        }
        assert!(sliding.count() <= windows && (windows == 0) == (sliding.count() == 0));
        assert!(windows == 0 || sliding.copies() < 15_000, "{}", sliding.copies());
        let mut all = vec![0; bytes.len()];
        assert_eq!(sliding.read_at(0, &mut all).unwrap(), bytes.len());
        assert!(all == bytes);
        assert_eq!(sliding.read_at(bytes.len() as u64 - 3, &mut all).unwrap(), 3);
        let past = sliding.read_exact_at(bytes.len() as u64 - 3, &mut [0; 4]).unwrap_err();
        assert_eq!(past, ErrorKind::OutOfBounds);
        assert_eq!(sliding.get(u64::MAX, 9).unwrap_err(), ErrorKind::OutOfBounds);
        let piece = sliding.get(0, 8).unwrap();
        assert_eq!(piece.read_exact_at(7, &mut [0; 2]).unwrap_err(), ErrorKind::OutOfBounds);
    }
}

#[test]
fn sliding_windows_reach_any_place_of_a_terabyte() {
    let (_dir, path) = file(b"");
    let other = File::options().write(true).open(&path).unwrap();
    other.set_len(1 << 40).unwrap();
    let places: Vec<u64> = (0..8).map(|place| (place << 37) + 4096 * place + 5).collect();
    for place in &places {
        other.write_all_at(&place.to_be_bytes(), *place).unwrap();
    }
    let sliding = Windows::with_capacity(4, UNIT, Mapping::open(&path).unwrap());
    for round in 0..3 {
        for place in &places {
            for _ in 0..100 {
                assert_eq!(sliding.u64_be_at(*place).unwrap(), *place, "round {round}");
            }
        }
    }
    assert_eq!(sliding.count(), 4);
    assert!(sliding.copies() < 3 * 8 * 70, "{}", sliding.copies());
}

#[test]
fn sliding_windows_tell_a_lost_page_from_the_rest_as_the_mapping_does() {
    let bytes = pattern(4 * UNIT);
    let (_dir, path) = file(&bytes);
    let mapping = Mapping::options().read(true).write(true).open(&path).unwrap();
    let mut sliding = Windows::with_capacity(1, 4 * UNIT, &mapping);
    for _ in 0..100 {
        assert_eq!(sliding.u8_at(3 * UNIT as u64).unwrap(), bytes[3 * UNIT]);
    }
    assert_eq!(sliding.count(), 1);
    let other = File::options().write(true).open(&path).unwrap();
    other.set_len(UNIT as u64).unwrap();
    for _ in 0..300 {
        assert_eq!(sliding.u8_at(3 * UNIT as u64).unwrap_err(), ErrorKind::Sigbus);
        assert_eq!(sliding.u8_at(7).unwrap(), bytes[7]);
        let lost = sliding.get(UNIT as u64, 1).and_then(|piece| piece.read_exact_at(0, &mut [0]));
        assert_eq!(lost.unwrap_err(), ErrorKind::Sigbus);
    }
    // The mapping itself gets longer, and the windows with it.
    mapping.set_len(6 * UNIT as u64).unwrap();
    mapping.write_all_at(5 * UNIT as u64, b"new").unwrap();
    for _ in 0..300 {
        assert_eq!(&sliding.read_array::<3>(5 * UNIT as u64).unwrap(), b"new");
        assert_eq!(sliding.u8_at(3 * UNIT as u64).unwrap(), 0);
    }
    for _ in 0..100 {
        assert_eq!(&sliding.read_array::<3>(5 * UNIT as u64).unwrap(), b"new");
    }
    let copies = sliding.copies();
    assert_eq!(&sliding.read_array::<3>(5 * UNIT as u64).unwrap(), b"new");
    assert_eq!(sliding.copies(), copies, "there is a window");
}
