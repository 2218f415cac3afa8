//! What `pread` and its like return, read out of the canonical ABI by hand.

use super::convert;
use crate::Error;
use crate::sys::loan::{Loan, Offer};
use alloc::string::String;
use core::mem::MaybeUninit;

/// A `result<list<u8>, error-code>` or a `result<_, error-code>` in memory. Both have this layout,
/// in bytes:
///
/// | at | if it is 0 | if it is 1 |
/// |---|---|---|
/// | 0 | which it is | which it is |
/// | 4 | the list's address | which error code |
/// | 8 | its length | for `other`: are there words? |
/// | 12 | | the words' address |
/// | 16 | | their length |
#[repr(C, align(4))]
struct Reply([MaybeUninit<u8>; 20]);

/// Are buffers lent? Not where another thread might ask for memory meanwhile.
const IN_PLACE: bool = cfg!(all(feature = "in-place", not(target_feature = "atomics")));

/// The buffer that is lent at the moment.
static LOAN: Loan = Loan::new();

/// Calls an imported function that returns a list of bytes, and has it fill `buffer`.
///
/// # Safety
///
/// `call` does nothing but call an imported function that returns a `result<list<u8>, error-code>`
/// to the address that it is given.
#[inline]
pub(super) unsafe fn fill(
    buffer: &mut [MaybeUninit<u8>],
    call: impl FnOnce(*mut u8),
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
    call: impl FnOnce(*mut u8),
) -> Result<usize, Error> {
    let mut offer = if IN_PLACE { LOAN.offer(buffer) } else { Offer::none(buffer) };
    let mut reply = Reply([MaybeUninit::uninit(); 20]);
    call(reply.0.as_mut_ptr().cast());
    // SAFETY: the function has returned its reply there.
    unsafe {
        if reply.byte(0) != 0 {
            return Err(reply.error(&offer));
        }
        offer.fill(reply.word(4) as *mut u8, reply.word(8)).ok_or_else(another_number)
    }
}

#[cold]
fn another_number() -> Error {
    let words = "the host returned another number of bytes than it was asked for";
    Error::other(Some(words.into()))
}

/// Calls an imported function that returns nothing, or an error.
///
/// # Safety
///
/// `call` does nothing but call an imported function that returns a `result<_, error-code>` to the
/// address that it is given.
pub(super) unsafe fn succeed(call: impl FnOnce(*mut u8)) -> Result<(), Error> {
    let mut reply = Reply([MaybeUninit::uninit(); 20]);
    call(reply.0.as_mut_ptr().cast());
    // SAFETY: the function has returned its reply there.
    unsafe { if reply.byte(0) == 0 { Ok(()) } else { Err(reply.error(&Offer::none(&mut []))) } }
}

impl Reply {
    /// # Safety
    ///
    /// The byte was written, and `at` is one of those in the table above.
    unsafe fn byte(&self, at: usize) -> u8 {
        // SAFETY: the caller's.
        unsafe { self.0[at].assume_init() }
    }

    /// # Safety
    ///
    /// The word was written, and `at` is one of those in the table above.
    unsafe fn word(&self, at: usize) -> usize {
        // SAFETY: the caller's; and words are aligned.
        unsafe { self.0.as_ptr().add(at).cast::<usize>().read() }
    }

    /// # Safety
    ///
    /// The reply is an error, and was not asked for it before.
    unsafe fn error(&self, offer: &Offer<'_>) -> Error {
        // SAFETY: the caller's; and what the table has for `other` is read for `other` only.
        unsafe {
            let code = self.byte(4);
            if code == convert::OTHER && self.byte(8) != 0 {
                let words = offer.take(self.word(12) as *mut u8, self.word(16));
                return Error::other(Some(String::from_utf8_lossy(&words).into()));
            }
            convert::kind(code).into()
        }
    }
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
