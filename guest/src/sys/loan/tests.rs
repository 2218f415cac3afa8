//! A host is played here: it asks for memory as it likes, and the buffer stays the caller's.

use super::*;
use std::vec;

/// A `realloc` as bindings have it.
unsafe extern "C" fn heap(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    use std::alloc::{Layout, alloc, realloc};
    let layout = |size| Layout::from_size_align(size, align).unwrap();
    // SAFETY: the caller's, and the sizes are not 0.
    unsafe {
        match (old_size, size) {
            (0, 0) => ptr::without_provenance_mut(align),
            (0, _) => alloc(layout(size)),
            _ => realloc(old, layout(old_size), size),
        }
    }
}

/// A program with one loan, and a host that asks its `realloc`.
struct Program(Loan);

impl Program {
    fn realloc(&self, old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
        // SAFETY: the tests pass on what they were given, and how much of it.
        unsafe { self.0.realloc(old, old_size, align, size, heap) }
    }

    fn new_memory(&self, size: usize) -> *mut u8 {
        self.realloc(ptr::null_mut(), 0, 1, size)
    }
}

fn write(to: *mut u8, bytes: &[u8]) {
    // SAFETY: the tests ask for as much as they write.
    unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

/// What an offer makes of memory that came back.
fn taken(offer: &Offer<'_>, memory: *mut u8, length: usize) -> Vec<u8> {
    // SAFETY: the tests pass on what they were given, once.
    unsafe { offer.take(memory, length) }
}

fn uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: nothing but bytes is written to it.
    unsafe { &mut *(bytes as *mut [u8] as *mut [MaybeUninit<u8>]) }
}

#[test]
fn the_buffer_is_handed_out_once_for_its_size() {
    let program = Program(Loan::new());
    let mut buffer = *b"-----";
    let offer = program.0.offer(uninit(&mut buffer));
    let first = program.new_memory(5);
    assert!(offer.is_buffer(first));
    write(first, b"hello");
    let second = program.new_memory(5);
    assert!(!offer.is_buffer(second));
    write(second, b"other");
    assert_eq!(taken(&offer, second, 5), b"other");
    drop(offer);
    assert_eq!(&buffer, b"hello");
}

#[test]
fn anything_else_is_the_programs_memory() {
    let program = Program(Loan::new());
    let mut buffer = [7; 8];
    let offer = program.0.offer(uninit(&mut buffer));
    for (size, align) in [(7, 1), (9, 1), (8, 2), (8, 8), (0, 1)] {
        let memory = program.realloc(ptr::null_mut(), 0, align, size);
        assert!(!offer.is_buffer(memory), "{size} aligned to {align}");
        if size > 0 {
            // Nobody takes it over: it is made small, as a host would, and freed here.
            let memory = program.realloc(memory, size, align, 1);
            // SAFETY: `heap` has allocated it so.
            unsafe {
                std::alloc::dealloc(memory, std::alloc::Layout::from_size_align(1, align).unwrap());
            }
        }
    }
    // Words that are longer than the buffer, made so in two steps.
    let words = program.new_memory(3);
    let words = program.realloc(words, 3, 1, 12);
    write(words, b"a dozen long");
    assert_eq!(taken(&offer, words, 12), b"a dozen long");
    drop(offer);
    assert_eq!(buffer, [7; 8]);
}

#[test]
fn a_lent_buffer_made_smaller_stays_and_is_not_freed() {
    let program = Program(Loan::new());
    let mut buffer = vec![1; 4096];
    let address = buffer.as_mut_ptr();
    let offer = program.0.offer(uninit(&mut buffer));
    let lent = program.new_memory(4096);
    // As the host does when a page is gone, and then words are to be returned.
    assert_eq!(program.realloc(lent, 4096, 1, 1), address);
    let words = program.new_memory(9);
    write(words, b"the words");
    assert_eq!(taken(&offer, words, 9), b"the words");
    // Back to its size is fine as well.
    assert_eq!(program.realloc(lent, 1, 1, 4096), address);
    drop(offer);
    buffer.fill(2);
    buffer.push(3);
    assert_eq!((buffer.len(), buffer[0], buffer[4096]), (4097, 2, 3));
}

#[test]
fn the_bytes_of_a_lent_buffer_made_larger_move() {
    let program = Program(Loan::new());
    let mut buffer = *b"1234";
    let offer = program.0.offer(uninit(&mut buffer));
    let lent = program.new_memory(4);
    write(lent, b"abcd");
    let larger = program.realloc(lent, 4, 1, 6);
    assert!(!offer.is_buffer(larger));
    // SAFETY: it has six bytes.
    write(unsafe { larger.add(4) }, b"ef");
    assert_eq!(taken(&offer, larger, 6), b"abcdef");
    // To another alignment too, whatever that is good for.
    let aligned = program.realloc(lent, 4, 4, 4);
    assert!(!offer.is_buffer(aligned) && aligned.addr().is_multiple_of(4));
    // SAFETY: `heap` has allocated it so.
    unsafe {
        assert_eq!(slice::from_raw_parts(aligned, 4), b"abcd");
        std::alloc::dealloc(aligned, std::alloc::Layout::from_size_align(4, 4).unwrap());
    }
    drop(offer);
    assert_eq!(&buffer, b"abcd");
}

#[test]
fn words_as_long_as_the_buffer_are_copied_out_of_it() {
    let program = Program(Loan::new());
    let mut buffer = [0; 7];
    let offer = program.0.offer(uninit(&mut buffer));
    let words = program.new_memory(7);
    assert!(offer.is_buffer(words));
    write(words, b"failure");
    assert_eq!(taken(&offer, words, 7), b"failure");
    // However long they are said to be, no more is read than the buffer has.
    assert_eq!(taken(&offer, words, 700), b"failure");
}

#[test]
fn an_empty_buffer_is_not_lent() {
    let program = Program(Loan::new());
    let offer = program.0.offer(&mut []);
    let nothing = program.new_memory(0);
    assert!(!offer.is_buffer(nothing));
    assert_eq!(taken(&offer, nothing, 0), b"");
    drop(offer);

    let mut buffer = [1; 3];
    let mut offer = Offer::none(uninit(&mut buffer));
    let memory = program.new_memory(3);
    assert!(!offer.is_buffer(memory));
    write(memory, b"abc");
    // SAFETY: it was allocated so.
    assert_eq!(unsafe { offer.fill(memory, 3) }, Some(3));
    drop(offer);
    assert_eq!(&buffer, b"abc");
}

#[test]
fn a_buffer_begins_with_fewer_bytes_and_takes_no_more() {
    let program = Program(Loan::new());
    let mut buffer = [1; 3];
    let mut offer = program.0.offer(uninit(&mut buffer));
    for length in [0, 1, 2, 4] {
        let memory = program.new_memory(length);
        write(memory, &vec![9; length]);
        // SAFETY: it was allocated so.
        assert_eq!(unsafe { offer.fill(memory, length) }, (length < 3).then_some(length));
    }
    // The buffer itself, but not all of it.
    let lent = program.new_memory(3);
    assert!(offer.is_buffer(lent));
    // SAFETY: it is the buffer.
    unsafe {
        assert_eq!(offer.fill(program.realloc(lent, 3, 1, 2), 2), Some(2));
        assert_eq!(offer.fill(lent, 3), Some(3));
    }
    drop(offer);
    assert_eq!(buffer, [9, 9, 1]);
}

#[test]
fn an_offer_stands_while_another_is_made() {
    let program = Program(Loan::new());
    let (mut one, mut two) = ([1; 3], [2; 3]);
    let first = program.0.offer(uninit(&mut one));
    let second = program.0.offer(uninit(&mut two));
    drop(second);
    let lent = program.new_memory(3);
    assert!(first.is_buffer(lent));
    drop(first);
    // After the last offer, everything is the program's.
    let second = program.0.offer(uninit(&mut two));
    assert!(second.is_buffer(program.new_memory(3)));
    drop(second);
    let memory = program.new_memory(3);
    assert_eq!(taken(&Offer::none(&mut []), memory, 3).len(), 3);
    assert_eq!((one, two), ([1; 3], [2; 3]));
}

#[test]
fn after_any_order_of_calls_all_memory_has_its_owners() {
    // A host that does anything it may, against a record of what it was given. What it wrote must
    // be there at the end, the buffer's surroundings as they were, and nothing freed twice: that,
    // and reads of what was freed, would be seen by the allocator's checks or a sanitizer.
    let mut random = fastrand::Rng::with_seed(1);
    let mut dice = move |below: usize| random.usize(..below);
    for _ in 0..3000 {
        let program = Program(Loan::new());
        let length = dice(6);
        let mut around = [0xee; 16];
        let offer = program.0.offer(uninit(&mut around[5..5 + length]));
        let mut held: Vec<(*mut u8, Vec<u8>)> = Vec::new();
        for _ in 0..dice(8) {
            let size = 1 + dice(6);
            let fresh: Vec<u8> = (0..size).map(|_| dice(256) as u8).collect();
            if held.is_empty() || dice(2) == 0 {
                let memory = program.new_memory(size);
                write(memory, &fresh);
                held.push((memory, fresh));
            } else {
                let index = dice(held.len());
                let (memory, bytes) = held.swap_remove(index);
                let moved = program.realloc(memory, bytes.len(), 1, size);
                let kept = size.min(bytes.len());
                // SAFETY: it has `size` bytes, the first of which were kept.
                assert_eq!(unsafe { slice::from_raw_parts(moved, kept) }, &bytes[..kept]);
                write(moved, &fresh);
                held.push((moved, fresh));
            }
        }
        for (memory, bytes) in held {
            assert_eq!(taken(&offer, memory, bytes.len()), bytes);
        }
        drop(offer);
        assert!(around[..5].iter().chain(&around[5 + length..]).all(|&byte| byte == 0xee));
    }
}
