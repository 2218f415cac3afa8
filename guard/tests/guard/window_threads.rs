//! Windows whose pages several threads lose at once.
#![cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::child::in_child;
use crate::handlers::{lost, touch};
use crate::pages::{page, pattern};
use crate::windows::Window;
use iommap_guard as guard;

#[test]
fn threads_with_windows_of_their_own_lose_pages_at_once() {
    in_child(|| {
        guard::install().unwrap();
        let covered = AtomicU64::new(0);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4_usize)
                .map(|thread| {
                    let covered = &covered;
                    scope.spawn(move || {
                        for round in 0..100 {
                            // A new one each time, so that places and nodes are used again.
                            let window = Window::new(1 + (round + thread) % 5);
                            let watch = window.watch(thread).unwrap();
                            let cut = (round * 7919) % window.shown();
                            window.cut(cut);
                            let first = cut.next_multiple_of(page());
                            let last = window.shown() - 1;
                            if first < window.shown() {
                                assert_eq!(window.byte(last), 0);
                                assert_eq!(window.byte(first), 0);
                                assert_eq!((watch.lost() > 0, window.token()), (true, 0));
                            }
                            if cut > 0 {
                                assert_eq!(window.byte(cut - 1), pattern(cut - 1));
                            }
                            covered.fetch_add(u64::from(watch.lost()), Ordering::Relaxed);
                            // Memory first, as a store does it, or the watch first.
                            if round % 2 == 0 {
                                drop(window);
                                drop(watch);
                            } else {
                                drop(watch);
                                drop(window);
                            }
                        }
                    })
                })
                .collect();
            // Copies that lose pages meanwhile, outside of any window.
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let pages = lost();
                    let mut to = [0; 8];
                    // SAFETY: a buffer of 8 bytes, and a mapped page.
                    let result = unsafe { guard::copy(to.as_mut_ptr(), pages.at(0), 8) };
                    assert!(result.is_err());
                }
            });
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(guard::watch::faults_covered(), covered.into_inner());
    })
    .assert_done();
}

#[test]
fn threads_that_lose_one_page_all_go_on_and_it_is_covered_once() {
    in_child(|| lose_one_page(None, true)).assert_done();
}

#[test]
fn what_threads_store_in_one_lost_page_at_once_stays() {
    in_child(|| lose_one_page(Some(7), true)).assert_done();
}

#[test]
fn stores_stay_also_where_no_file_is_known_to_stand() {
    in_child(|| lose_one_page(Some(7), false)).assert_done();
}

/// Has threads load a byte each of one lost page, or store one, all at once; and that again and
/// again, so that this doesn't pass by luck. The watch knows of the file only if it is `told`.
fn lose_one_page(stored: Option<u8>, told: bool) {
    const THREADS: usize = 8;
    const ROUNDS: u64 = 300;
    guard::install().unwrap();
    let window = Window::reserve(2);
    let show = || window.show(&window.file, libc::MAP_PRIVATE, 0);
    let mut watch = window.watch(1).unwrap();
    let barrier = Barrier::new(THREADS + 1);
    let at = |thread: usize| 2 * page() + 64 * thread;
    let (mut lost, mut wrong) = (0, 0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (window, barrier) = (&window, &barrier);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    barrier.wait();
                    let byte = window.at.wrapping_add(at(thread));
                    match stored {
                        // SAFETY: in the window, and this thread's alone.
                        Some(value) => unsafe { byte.write_volatile(value) },
                        None => _ = touch(byte),
                    }
                    barrier.wait();
                }
            });
        }
        for _ in 0..ROUNDS {
            show();
            if told {
                // SAFETY: as for `Window::watch`; the others wait.
                unsafe { watch.renew() };
            }
            let before = watch.lost();
            barrier.wait();
            barrier.wait();
            lost += u64::from(watch.lost() - before);
            let kept = |thread: &usize| window.byte(at(*thread)) == stored.unwrap_or(0);
            wrong += THREADS - (0..THREADS).filter(kept).count();
        }
    });
    // Only now: who fails in between leaves the others at the barrier.
    assert_eq!(wrong, 0, "bytes that another thread's zeros wiped out");
    assert_eq!((lost, guard::watch::faults_covered()), (ROUNDS, ROUNDS));
}
