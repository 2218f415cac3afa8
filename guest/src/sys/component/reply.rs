//! What imported functions return, and how `pread` and its like return it in the caller's buffer.

use super::bindings::{List, Reply};
use super::convert;
use crate::Error;
use crate::sys::loan::{Loan, Offer};
use core::mem::MaybeUninit;

/// Are buffers lent? Not where another thread might ask for memory meanwhile.
const IN_PLACE: bool = cfg!(all(feature = "in-place", not(target_feature = "atomics")));

/// The buffer that is lent at the moment.
static LOAN: Loan = Loan::new();

/// What the imported function returns that `call` calls.
pub(super) fn of<T, E: Default>(call: impl FnOnce(&mut Reply<T, E>)) -> Result<T, E> {
    let mut reply = Reply::Err(E::default());
    call(&mut reply);
    match reply {
        Reply::Ok(value) => Ok(value),
        Reply::Err(error) => Err(error),
    }
}

/// Calls an imported function that returns a list of bytes, and has it fill `buffer`.
///
/// # Safety
///
/// `call` does nothing but call an imported function, for that reply.
#[inline]
pub(super) unsafe fn fill(
    buffer: &mut [MaybeUninit<u8>],
    call: impl FnOnce(&mut Reply<List>),
) -> Result<(), Error> {
    let length = buffer.len();
    // SAFETY: the caller's.
    if unsafe { fill_up_to(buffer, call) }? == length { Ok(()) } else { Err(another_number()) }
}

/// The same for a function that may return fewer bytes than the buffer has. Tells how many.
///
/// # Safety
///
/// That of [`fill`].
#[inline]
pub(super) unsafe fn fill_up_to(
    buffer: &mut [MaybeUninit<u8>],
    call: impl FnOnce(&mut Reply<List>),
) -> Result<usize, Error> {
    let mut offer = if IN_PLACE { LOAN.offer(buffer) } else { Offer::none(buffer) };
    match of(call) {
        // SAFETY: the function has returned it, into the buffer or into memory from `realloc`.
        Ok(list) => unsafe { offer.fill(list.start, list.length) }.ok_or_else(another_number),
        // SAFETY: so it has the words, if there are any.
        Err(code) => Err(unsafe { convert::error(code, &offer) }),
    }
}

#[cold]
fn another_number() -> Error {
    let words = "the host returned another number of bytes than it was asked for";
    Error::other(Some(words.into()))
}

// The `realloc` that the program has anyway: that of libc, of wit-bindgen, or its own.
#[cfg(feature = "in-place")]
unsafe extern "C" {
    fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8;
}

/// What imported functions get the memory for their results from, for the whole program: those
/// that make components take it before `cabi_realloc`. If one doesn't, nothing is lent.
///
/// # Safety
///
/// That of the canonical ABI, whose caller is not in this program.
#[cfg(feature = "in-place")]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_import_realloc(
    old: *mut u8,
    old_size: usize,
    align: usize,
    size: usize,
) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { LOAN.realloc(old, old_size, align, size, cabi_realloc) }
}
