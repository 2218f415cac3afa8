//! What the guarded copy copies, and what it says when a page is gone.
//!
//! Each test goes through all the ways to copy that this machine has, the system call included.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::child::{in_child, in_child_while};
use crate::pages::{Pages, page, pattern, patterned};
use iommap_guard::{self as guard, Fault, Variant};

/// What a destination contains before a copy. [`pattern`] never is that.
const OLD: u8 = 0xff;

/// Bytes around a destination that a copy must not touch.
const MARGIN: usize = 160;

/// Copies `len` bytes from `src` into a new buffer at alignment `align`, which has to be right
/// around what was copied, and returns the copied bytes.
fn read_with(
    variant: Variant,
    src: *const u8,
    len: usize,
    align: usize,
) -> (Vec<u8>, Option<Fault>) {
    let mut buffer = vec![OLD; MARGIN + align + len + MARGIN];
    let start = MARGIN - buffer.as_ptr().addr() % 64 + align;
    // SAFETY: `start + len` is within the buffer; the callers pass mapped sources.
    let result = unsafe { variant.copy(buffer.as_mut_ptr().add(start), src, len) };
    assert!(buffer[..start].iter().all(|byte| *byte == OLD), "{variant:?} {len}: before");
    assert!(buffer[start + len..].iter().all(|byte| *byte == OLD), "{variant:?} {len}: behind");
    (buffer[start..start + len].to_vec(), result.err())
}

/// Checks a copy that faulted at `gone`, behind `there` bytes that were there, and the destination.
#[track_caller]
fn check_faulted(
    what: &str,
    fault: Fault,
    (gone, there): (*const u8, usize),
    now: &[u8],
    new: &[u8],
    old: &[u8],
) {
    assert_eq!((fault.address(), fault.copied()), (gone.addr(), there), "{what}");
    assert!(now[..there] == new[..there], "{what}: the first {there} bytes are wrong");
    let torn = (there..now.len()).find(|at| now[*at] != old[*at] && now[*at] != new[*at]);
    assert_eq!(torn, None, "{what}: neither old nor new");
}

#[test]
fn each_length_and_alignment_is_copied_right() {
    let source = patterned(0, 1000);
    for variant in Variant::all() {
        for len in 0..=600 {
            for (from, align) in [(0, 0), (1, 0), (0, 1), (7, 3), (8, 16), (31, 33), (63, 62)] {
                let (got, fault) = read_with(variant, source[from..].as_ptr(), len, align);
                assert_eq!(fault, None, "{variant:?} {len}");
                assert!(got == source[from..from + len], "{variant:?} {len} {from} {align}");
            }
        }
    }
}

#[test]
fn large_lengths_are_copied_right() {
    const LARGE: [usize; 15] = [
        1023, 1024, 1025, 4095, 4096, 4097, 16383, 16384, 16385, 65535, 65536, 65537, 262_143,
        1_048_576, 1_048_579,
    ];
    let source = patterned(0, LARGE[14] + 100);
    for variant in Variant::all() {
        for len in LARGE {
            for (from, align) in [(0, 0), (1, 0), (0, 1), (31, 33)] {
                let (got, fault) = read_with(variant, source[from..].as_ptr(), len, align);
                assert_eq!(fault, None, "{variant:?} {len}");
                assert!(got == source[from..from + len], "{variant:?} {len} {from} {align}");
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn linux_has_the_copy_by_system_call_too() {
    let all = format!("{:?}", Variant::all());
    assert!(all.contains("Portable"), "{all}");
}

#[test]
fn nothing_is_copied_between_pointers_that_dangle() {
    let nowhere = std::ptr::dangling_mut::<u8>();
    for variant in Variant::all() {
        // SAFETY: no byte is touched.
        assert_eq!(unsafe { variant.copy(nowhere, nowhere, 0) }, Ok(()));
    }
}

#[test]
fn a_prefetch_of_what_is_lost_or_nowhere_does_nothing() {
    in_child(|| {
        let pages = Pages::new(page());
        pages.set_len(0);
        guard::prefetch(pages.at(0), page());
        guard::prefetch(std::ptr::dangling(), usize::MAX);
        guard::prefetch(std::ptr::null(), 0);
    })
    .assert_done();
}

/// Bytes in front of the lost page and behind its border, and alignments of what is copied there.
struct Lengths {
    kept: usize,
    there: Vec<usize>,
    beyond: Vec<usize>,
    align: fn(usize) -> Vec<usize>,
}

/// All lengths in front of the border up to where every class of them was.
fn short() -> Lengths {
    let beyond = vec![1, 2, 3, 7, 8, 15, 16, 31, 33, 64, 100, 128, 200, 400, page()];
    Lengths { kept: page(), there: (0..=300).collect(), beyond, align: |there| vec![there % 64] }
}

/// Lengths around the classes of length, the vector sizes, and pages.
fn long() -> Lengths {
    let there = vec![0, 1, 63, 64, 65, 127, 500, 4095, 4096, 4097, 16_000, 16_385, 65_549, 200_000];
    let beyond = vec![1, 100, 5000, 60_000];
    Lengths { kept: 64 * page(), there, beyond, align: |_| vec![0, 13] }
}

/// Reads across the border of a lost page, and up to it.
fn read_across(Lengths { kept, there, beyond, align }: Lengths) {
    guard::install().unwrap();
    let lost = kept.div_ceil(4 * page()) * page();
    let pages = Pages::new(kept + lost);
    pages.set_len(kept);
    for (variant, there) in each(&there) {
        for align in align(there) {
            let start = kept - there;
            for beyond in &beyond {
                let what = format!("{variant:?}, {there} there and {beyond} beyond, {align}");
                let len = there + beyond;
                let (now, fault) = read_with(variant, pages.at(start), len, align);
                let fault = fault.unwrap_or_else(|| panic!("{what}: no fault"));
                let (new, old) = (patterned(start, len), vec![OLD; len]);
                check_faulted(&what, fault, (pages.at(kept), there), &now, &new, &old);
            }
            let (now, fault) = read_with(variant, pages.at(start), there, align);
            assert_eq!(fault, None, "{variant:?}, {there} up to the border");
            assert!(now == patterned(start, there), "{variant:?} {there}");
        }
    }
}

/// Writes across the border of a lost page, and up to it.
fn write_across(Lengths { kept, there, beyond, align }: Lengths) {
    guard::install().unwrap();
    let lost = kept.div_ceil(4 * page()) * page();
    let pages = Pages::new(kept + lost);
    pages.set_len(kept);
    let old = vec![OLD; kept];
    let source = patterned(0, kept + lost + 64);
    for (variant, there) in each(&there) {
        for align in align(there) {
            let (start, source) = (kept - there, &source[align..]);
            let write = |len| {
                pages.write(0, &old);
                // SAFETY: the source is a buffer that is long enough, the destination is mapped.
                let result = unsafe { variant.copy(pages.at(start), source.as_ptr(), len) };
                let now = pages.read(0, kept);
                assert!(now[..start] == old[..start], "{variant:?}, {there}, {len}: before");
                (result, now)
            };
            for beyond in &beyond {
                let what = format!("{variant:?}, {there} there and {beyond} beyond, {align}");
                let (result, now) = write(there + beyond);
                let fault = result.expect_err(&what);
                check_faulted(&what, fault, (pages.at(kept), there), &now[start..], source, &old);
            }
            let (result, now) = write(there);
            assert_eq!(result, Ok(()), "{variant:?}, {there} up to the border");
            assert!(now[start..] == source[..there], "{variant:?}, {there} up to the border");
        }
    }
}

/// All ways to copy, with each of these lengths.
fn each(lengths: &[usize]) -> impl Iterator<Item = (Variant, usize)> {
    let variants = Variant::all().into_iter();
    variants.flat_map(|variant| lengths.iter().map(move |length| (variant, *length)))
}

#[test]
fn a_read_into_a_lost_page_says_exactly_how_far_it_got() {
    in_child(|| read_across(short())).assert_done();
}

#[test]
fn a_write_into_a_lost_page_says_exactly_how_far_it_got() {
    in_child(|| write_across(short())).assert_done();
}

#[test]
fn a_long_read_into_a_lost_page_says_exactly_how_far_it_got() {
    in_child(|| read_across(long())).assert_done();
}

#[test]
fn a_long_write_into_a_lost_page_says_exactly_how_far_it_got() {
    in_child(|| write_across(long())).assert_done();
}

#[test]
fn where_both_sides_are_lost_the_source_is_named() {
    in_child(|| {
        guard::install().unwrap();
        let pages = Pages::new(16 * page());
        pages.set_len(0);
        for variant in Variant::all() {
            for len in [1, 8, 16, 32, 64, 100, 1000, 5000, 20_000] {
                // SAFETY: both are mapped, and apart.
                let result = unsafe { variant.copy(pages.at(8 * page()), pages.at(0), len) };
                let fault = result.expect_err("a fault");
                assert_eq!(
                    (fault.copied(), fault.address()),
                    (0, pages.at(0).addr()),
                    "{variant:?} {len}"
                );
            }
        }
    })
    .assert_done();
}

#[test]
fn a_file_that_grew_back_is_copied_by_the_same_mapping() {
    in_child(|| {
        guard::install().unwrap();
        let page = page();
        let pages = Pages::new(2 * page);
        for variant in Variant::all() {
            pages.set_len(page);
            let (_, fault) = read_with(variant, pages.at(page), 100, 0);
            assert_eq!(fault.map(|fault| fault.copied()), Some(0), "{variant:?}");

            pages.set_len(2 * page);
            let (zeros, fault) = read_with(variant, pages.at(page), 100, 0);
            assert_eq!((zeros, fault), (vec![0; 100], None), "{variant:?}");

            pages.write(page, &patterned(page, page));
            let (bytes, fault) = read_with(variant, pages.at(page), 100, 0);
            assert_eq!((bytes, fault), (patterned(page, 100), None), "{variant:?}");

            // SAFETY: a buffer of 100 bytes, and 100 bytes of the mapping.
            let result = unsafe { variant.copy(pages.at(page), [7; 100].as_ptr(), 100) };
            assert_eq!(result, Ok(()), "{variant:?}");
            assert_eq!(pages.read(page, 100), [7; 100], "{variant:?}");
        }
    })
    .assert_done();
}

#[test]
fn behind_a_cut_in_mid_page_there_are_zeros() {
    in_child(|| {
        guard::install().unwrap();
        let page = page();
        let pages = Pages::new(2 * page);
        pages.set_len(page / 2);
        for variant in Variant::all() {
            let (bytes, fault) = read_with(variant, pages.at(0), page, 0);
            assert_eq!(fault, None, "{variant:?}");
            assert!(bytes[..page / 2] == patterned(0, page / 2), "{variant:?}");
            assert!(bytes[page / 2..].iter().all(|byte| *byte == 0), "{variant:?}");
        }
    })
    .assert_done();
}

#[test]
fn faults_are_counted() {
    in_child(|| {
        guard::install().unwrap();
        let pages = Pages::new(page());
        pages.set_len(0);
        assert_eq!(guard::faults_recovered(), 0);
        let mut faults = 0;
        for variant in Variant::all() {
            for _ in 0..10 {
                let (_, fault) = read_with(variant, pages.at(0), 8, 0);
                faults += u64::from(fault.is_some());
            }
        }
        assert_eq!(faults, 10 * Variant::all().len() as u64);
        assert_eq!(guard::faults_recovered(), faults);
    })
    .assert_done();
}

// The system call needs no handler.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
#[test]
fn without_install_a_lost_page_kills() {
    in_child(|| {
        let pages = Pages::new(page());
        pages.set_len(0);
        // SAFETY: both are mapped or a buffer.
        let _ = unsafe { guard::copy([0; 8].as_mut_ptr(), pages.at(0), 8) };
    })
    .assert_killed_by(libc::SIGBUS);
}

#[test]
fn threads_copy_right_while_another_process_cuts_the_file() {
    const FILE: &str = "IOMMAP_GUARD_FILE";
    let len = 64 * page();

    // The parent cuts and regrows, the child copies.
    let named = tempfile::NamedTempFile::new().unwrap();
    let file = named.as_file();
    file.set_len(len as u64).unwrap();
    let content = patterned(0, len);
    let mut round = 0;
    let cut_and_regrow = || {
        round += 1;
        file.set_len((round * 7919 % len) as u64).unwrap();
        std::thread::yield_now();
        file.set_len(len as u64).unwrap();
        if round % 2 == 0 {
            file.write_all_at(&content, 0).unwrap();
        }
    };
    let with_path = |mut command: Command| {
        command.env(FILE, named.path());
        command
    };
    in_child_while(with_path, cut_and_regrow, || {
        guard::install().unwrap();
        let file = std::env::var(FILE).unwrap();
        let file = File::options().read(true).write(true).open(file).unwrap();
        let pages = Pages::map(file, len);
        let (oks, faults) = (AtomicU64::new(0), AtomicU64::new(0));
        let until = Instant::now() + Duration::from_secs(2);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (pages, oks, faults) = (&pages, &oks, &faults);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(thread);
                    while Instant::now() < until {
                        let class = [16, 64, 256, 4096, 40_000][random.usize(..5)];
                        let size = random.usize(1..=class);
                        let start = random.usize(..len - size);
                        let variants = Variant::all();
                        let variant = variants[random.usize(..variants.len())];
                        let align = random.usize(..64);
                        // A reader finds what was there or zeros. A writer writes what would be
                        // there anyway.
                        let fault = if thread % 2 == 0 {
                            let (got, fault) = read_with(variant, pages.at(start), size, align);
                            let sure = fault.map_or(size, |fault| fault.copied());
                            let wrong = (0..sure)
                                .find(|at| got[*at] != 0 && got[*at] != pattern(start + at));
                            assert_eq!(wrong, None, "{variant:?}, {size} from {start}");
                            fault
                        } else {
                            let bytes = patterned(start, size);
                            // SAFETY: a buffer, and as many bytes of the mapping.
                            unsafe { variant.copy(pages.at(start), bytes.as_ptr(), size) }.err()
                        };
                        match fault {
                            None => oks.fetch_add(1, Ordering::Relaxed),
                            Some(_) => faults.fetch_add(1, Ordering::Relaxed),
                        };
                    }
                });
            }
        });
        let (oks, faults) = (oks.into_inner(), faults.into_inner());
        assert!(oks > 0 && faults > 0, "{oks} copies, {faults} faults");
        assert_eq!(guard::faults_recovered(), faults);
    })
    .assert_done();
}
