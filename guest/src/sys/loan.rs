//! Lends the caller's buffer to the canonical ABI.
//!
//! When a function that a component imports returns a list, whoever lowers it, a host or another
//! component, first asks the guest for memory, by the guest's `realloc`, and then writes the list
//! there. The memory need not be new: if it is the caller's own buffer, the bytes land where they
//! are wanted, without an allocation and without a second copy.
//!
//! So around such a call the buffer is [offered](Loan::offer), and [`Loan::realloc`] hands it out
//! to the first that asks for exactly as many bytes as it has. Everything else goes to the
//! `realloc` that the program has anyway.
//!
//! # Why that is sound
//!
//! - The buffer is borrowed mutably for as long as the offer stands, and nothing in the guest
//!   touches it meanwhile: between the beginning and the end of the offer there is the imported
//!   call and nothing else, during which the canonical ABI lets no code of the guest run but its
//!   `realloc`. A program with threads of its own would be another matter, and gets no loans.
//! - Only memory of the right size is handed out, once, and only as what nobody had before. So
//!   whoever has it writes no further than the buffer goes.
//! - The buffer is never freed, resized or moved by `realloc`, which knows it by its address. No
//!   other memory that is in use can have that: an offered buffer is not empty.
//! - What comes back is looked at: only if it lies at the buffer's address is it taken as being
//!   in place. Everything else is owned memory from the program's `realloc`, which is copied from
//!   and freed, as bindings do. Who asks for memory in another order, in another size or through
//!   another `realloc` makes a call slower, and not wrong. The words of an error may have been put
//!   into the buffer, too; they are then copied out.

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};
use core::{ptr, slice};

/// The canonical ABI's `realloc`: what there was and its size, alignment, and the new size.
pub(crate) type Realloc = unsafe extern "C" fn(*mut u8, usize, usize, usize) -> *mut u8;

/// A place for one offer at a time.
///
/// Atomics, so that it may be a static; in a component of one thread they cost nothing.
pub(crate) struct Loan {
    /// Null unless a buffer is offered.
    start: AtomicPtr<u8>,
    length: AtomicUsize,
    /// Was it handed out?
    taken: AtomicBool,
}

impl Loan {
    pub(crate) const fn new() -> Loan {
        Loan {
            start: AtomicPtr::new(ptr::null_mut()),
            length: AtomicUsize::new(0),
            taken: AtomicBool::new(false),
        }
    }

    /// Offers a buffer until the offer is dropped. An empty one is not offered, nor is a second
    /// while a first is.
    pub(crate) fn offer<'a>(&'a self, buffer: &'a mut [MaybeUninit<u8>]) -> Offer<'a> {
        let offer = Offer::none(buffer);
        if offer.length == 0 || !self.start.load(Relaxed).is_null() {
            return offer;
        }
        self.length.store(offer.length, Relaxed);
        self.taken.store(false, Relaxed);
        self.start.store(offer.start, Relaxed);
        Offer { loan: Some(self), ..offer }
    }

    /// The program's `realloc` for what imported functions return: gives the buffer that is
    /// offered if it is what is asked for, and has `other` do everything else.
    ///
    /// # Safety
    ///
    /// As for `other`; but what was handed out by this may be passed as `old` as well.
    #[inline]
    pub(crate) unsafe fn realloc(
        &self,
        old: *mut u8,
        old_size: usize,
        align: usize,
        size: usize,
        other: Realloc,
    ) -> *mut u8 {
        let start = self.start.load(Relaxed);
        if start.is_null() {
            // SAFETY: the caller's.
            return unsafe { other(old, old_size, align, size) };
        }
        let length = self.length.load(Relaxed);
        if old_size == 0 {
            if align == 1 && size == length && !self.taken.swap(true, Relaxed) {
                return start;
            }
        } else if old == start {
            // Another size for what was lent. It is neither freed nor moved: if it is large
            // enough it stays, or else it is what the new memory starts with.
            if align == 1 && size <= length {
                return start;
            }
            // SAFETY: asks for new memory, which has at least the bytes that are copied, as the
            // buffer has; and new memory is not the buffer.
            unsafe {
                let new = other(ptr::null_mut(), 0, align, size);
                ptr::copy_nonoverlapping(start, new, old_size.min(length).min(size));
                return new;
            }
        }
        // SAFETY: the caller's, since `old` is not the buffer.
        unsafe { other(old, old_size, align, size) }
    }
}

/// A buffer that is on offer.
pub(crate) struct Offer<'a> {
    /// None if it is not, and nothing comes to lie in it.
    loan: Option<&'a Loan>,
    start: *mut u8,
    length: usize,
    buffer: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

impl<'a> Offer<'a> {
    /// An offer that nobody knows of: nothing comes to lie in the buffer by itself.
    pub(crate) fn none(buffer: &'a mut [MaybeUninit<u8>]) -> Offer<'a> {
        let (start, length) = (buffer.as_mut_ptr().cast(), buffer.len());
        Offer { loan: None, start, length, buffer: PhantomData }
    }

    /// Is this memory, which came back, the buffer?
    pub(crate) fn is_buffer(&self, memory: *const u8) -> bool {
        self.loan.is_some() && ptr::eq(self.start, memory)
    }

    /// Has the buffer begin with these bytes, wherever they came to lie, and tells how many they are.
    /// `None` if they are more than it has.
    ///
    /// # Safety
    ///
    /// As for [`take`](Offer::take).
    #[inline]
    pub(crate) unsafe fn fill(&mut self, memory: *mut u8, length: usize) -> Option<usize> {
        if length <= self.length && self.is_buffer(memory) {
            return Some(length);
        }
        // SAFETY: the caller's.
        let bytes = unsafe { self.take(memory, length) };
        if length > self.length {
            return None;
        }
        // SAFETY: the offer borrows the buffer mutably, so that it is nobody else's.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start, bytes.len()) };
        Some(length)
    }

    /// Bytes that came back: copied out of the buffer if they lie there, or else taken over.
    ///
    /// # Safety
    ///
    /// `memory` is the buffer, or `length` bytes that were allocated by the program's `realloc`
    /// and are nobody else's; or `length` is 0.
    pub(crate) unsafe fn take(&self, memory: *mut u8, length: usize) -> Vec<u8> {
        // SAFETY: the caller's; and the buffer is not read further than it goes.
        unsafe {
            match length {
                0 => Vec::new(),
                _ if self.is_buffer(memory) => {
                    slice::from_raw_parts(memory, length.min(self.length)).to_vec()
                }
                _ => Vec::from_raw_parts(memory, length, length),
            }
        }
    }
}

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        if let Some(loan) = self.loan {
            loan.start.store(ptr::null_mut(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
