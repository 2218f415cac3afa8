//! Words that are read and changed at once, and what is said when their page is gone.
//!
//! Only where there are such routines.
#![cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::child::in_child;
use crate::pages::{Pages, page};
use iommap_guard::atomic::{self, Error, Word};
use iommap_guard::{self as guard};

/// What a word may be, and what may be done to it.
const VALUES: [u64; 7] =
    [0, 1, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, 0x0123_4567_89ab_cdef, u64::MAX];

/// Does each operation to a word in the middle of three; returns what it returned and what the word
/// is then.
fn each<W: Word + Default>(word: W, value: W) -> Vec<(W, W)> {
    type Change<W> = unsafe fn(*mut W, W) -> Result<W, Error>;
    let changes: [Change<W>; 5] =
        [atomic::swap, atomic::fetch_add, atomic::fetch_and, atomic::fetch_or, atomic::fetch_xor];
    let done = changes.iter().map(|change| {
        let mut words = [W::default(), word, W::default()];
        // SAFETY: an aligned word of this frame.
        let before = unsafe { change(&raw mut words[1], value) }.unwrap();
        assert!(words[0] == W::default() && words[2] == W::default(), "its neighbours");
        (before, words[1])
    });
    done.collect()
}

#[test]
fn each_change_does_to_a_word_what_it_says() {
    for (word, value) in VALUES.into_iter().flat_map(|word| VALUES.map(|value| (word, value))) {
        let expected = [value, word.wrapping_add(value), word & value, word | value, word ^ value];
        assert_eq!(each(word, value), expected.map(|after| (word, after)), "{word:#x} {value:#x}");
        let (word, value) = (word as u32, value as u32);
        let expected = [value, word.wrapping_add(value), word & value, word | value, word ^ value];
        assert_eq!(each(word, value), expected.map(|after| (word, after)), "{word:#x} {value:#x}");
    }
}

#[test]
fn words_are_loaded_stored_and_compared_whole() {
    for value in VALUES {
        let mut wide = [7_u64; 3];
        let mut narrow = [7_u32; 3];
        let (at, narrow_at) = (&raw mut wide[1], &raw mut narrow[1]);
        let small = value as u32;
        // SAFETY: aligned words of this frame.
        unsafe {
            atomic::store(at, value).unwrap();
            assert_eq!(atomic::load(at), Ok(value));
            assert_eq!(atomic::compare_exchange(at, value ^ 1 << 40, 1), Ok(Err(value)));
            assert_eq!(atomic::compare_exchange(at, value, !value), Ok(Ok(value)));
            atomic::store(narrow_at, small).unwrap();
            assert_eq!(atomic::load(narrow_at), Ok(small));
            assert_eq!(atomic::compare_exchange(narrow_at, small ^ 1, 1), Ok(Err(small)));
            assert_eq!(atomic::compare_exchange(narrow_at, small, !small), Ok(Ok(small)));
        }
        assert_eq!(wide, [7, !value, 7]);
        assert_eq!(narrow, [7, !small, 7]);
    }
}

#[test]
fn threads_that_change_one_word_lose_no_change() {
    const ROUNDS: u64 = 20_000;
    let pages = Pages::new(page());
    pages.write(0, &[0; 64]);
    let narrow = pages.at(8).cast::<u32>();
    let wide = pages.at(16).cast::<u64>();
    // SAFETY: aligned words of a mapping that stays; nobody touches them but by atomics.
    let (by_std, by_std_wide) = unsafe { (AtomicU32::from_ptr(narrow), AtomicU64::from_ptr(wide)) };
    let locked = pages.at(24).cast::<u32>().addr();
    let counted = pages.at(32).cast::<u64>().addr();
    let (narrow, wide) = (narrow.addr(), wide.addr());
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            scope.spawn(move || {
                let at = |address| std::ptr::with_exposed_provenance_mut::<u64>(address);
                for round in 0..ROUNDS {
                    // SAFETY: as above; `counted` is touched under the lock alone.
                    unsafe {
                        if thread % 2 == 0 {
                            atomic::fetch_add(at(narrow).cast::<u32>(), 1).unwrap();
                            atomic::fetch_add(at(wide), 1 << 33).unwrap();
                        } else {
                            by_std.fetch_add(1, Ordering::SeqCst);
                            by_std_wide.fetch_add(1 << 33, Ordering::SeqCst);
                        }
                        if round % 4 == 0 {
                            let lock = at(locked).cast::<u32>();
                            while atomic::compare_exchange(lock, 0, 1).unwrap().is_err() {
                                std::thread::yield_now();
                            }
                            *at(counted) += 1;
                            atomic::store(lock, 0).unwrap();
                        }
                    }
                }
            });
        }
    });
    assert_eq!(by_std.load(Ordering::SeqCst), 4 * ROUNDS as u32);
    assert_eq!(by_std_wide.load(Ordering::SeqCst), (4 * ROUNDS) << 33);
    assert_eq!(pages.read(32, 8), ROUNDS.to_ne_bytes());
}

/// Every operation on a word whose page is lost.
fn each_on_lost<W: Word>(at: *mut W, value: W) -> Vec<Error> {
    // SAFETY: mapped, aligned, and lost.
    unsafe {
        vec![
            atomic::load(at).map(drop),
            atomic::store(at, value),
            atomic::swap(at, value).map(drop),
            atomic::compare_exchange(at, value, value).map(drop),
            atomic::fetch_add(at, value).map(drop),
            atomic::fetch_and(at, value).map(drop),
            atomic::fetch_or(at, value).map(drop),
            atomic::fetch_xor(at, value).map(drop),
        ]
    }
    .into_iter()
    .map(|result| result.unwrap_err())
    .collect()
}

#[test]
fn a_word_on_a_lost_page_is_said_to_be_lost_and_where() {
    in_child(|| {
        guard::install().unwrap();
        let pages = Pages::new(2 * page());
        pages.set_len(page());
        for offset in [0, 8, 4088 % page()] {
            let at = pages.at(page() + offset);
            let errors = [each_on_lost(at.cast(), 1_u32), each_on_lost(at.cast(), 1_u64)].concat();
            assert_eq!(errors.len(), 16);
            for error in errors {
                let Error::Lost(fault) = error else { panic!("{error}") };
                assert_eq!((fault.address(), fault.copied()), (at.addr(), 0));
            }
        }
        assert_eq!(guard::faults_recovered(), 48);

        // The page in front of it is as it was, and the word comes back with its page.
        // SAFETY: aligned words of the mapping.
        unsafe {
            let last = pages.at(page() - 8).cast::<u64>();
            atomic::store(last, 5).unwrap();
            assert_eq!(atomic::load(last), Ok(5));
            pages.set_len(2 * page());
            assert_eq!(atomic::fetch_add(pages.at(page()).cast::<u64>(), 9), Ok(0));
        }
        assert_eq!(pages.read(page(), 8), 9_u64.to_ne_bytes());
    })
    .assert_done();
}

#[test]
fn without_install_a_word_on_a_lost_page_kills() {
    in_child(|| {
        let pages = Pages::new(page());
        pages.set_len(0);
        // SAFETY: mapped and aligned.
        let _ = unsafe { atomic::load(pages.at(0).cast::<u32>()) };
    })
    .assert_killed_by(libc::SIGBUS);
}

#[test]
fn words_hold_while_another_thread_cuts_the_file() {
    in_child(|| {
        guard::install().unwrap();
        let pages = Pages::new(page());
        let done = std::sync::atomic::AtomicBool::new(false);
        let (mut there, mut gone) = (0_u64, 0_u64);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    pages.set_len(0);
                    pages.set_len(page());
                }
            });
            let at = pages.at(64).cast::<u64>();
            // What a page that came back holds is zero, and only this thread writes.
            while there < 2000 || gone < 2000 {
                // SAFETY: mapped and aligned.
                match unsafe { atomic::fetch_or(at, 6) } {
                    Ok(before) => {
                        assert!(before == 0 || before == 6 || pages_pattern(before), "{before:#x}");
                        there += 1;
                    }
                    Err(_) => gone += 1,
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(guard::faults_recovered(), gone);
    })
    .assert_done();
}

/// What stood there at first, changed or not.
fn pages_pattern(word: u64) -> bool {
    let first = u64::from_ne_bytes(std::array::from_fn(|at| crate::pages::pattern(64 + at)));
    word == first || word == first | 6
}
