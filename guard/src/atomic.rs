//! Loads, stores and atomic changes of one word that come back and say so when its page is gone.
//!
//! What a mutex, a counter or a reader's table in a shared mapping needs: several processes map
//! one file and agree on it by its words, and any of them may cut it short. Words are `u32` and
//! `u64`. Each operation is sequentially consistent, as wasm's atomics are, and takes the
//! mapping's word as the hardware does: it agrees with the `AtomicU32` and `AtomicU64` of every
//! other process that maps the file.
//!
//! [`install`](crate::install) must have succeeded before, as for [`copy`](crate::copy).
//!
//! Where no routines are written for the processor ([`SUPPORTED`]) each operation is
//! [`Error::Unsupported`]: a system call could copy a word, but not promise to do it at once, and
//! none of the kernel's changes a word and tells what it was.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use iommap_guard::atomic;
//!
//! iommap_guard::install()?;
//! let mut word = 40_u64;
//! # if !atomic::SUPPORTED { return Ok(()) }
//! // SAFETY: an aligned word of this frame.
//! let before = unsafe { atomic::fetch_add(&raw mut word, 2) }?;
//! assert_eq!((before, word), (40, 42));
//! # Ok(())
//! # }
//! ```

use std::fmt;

use crate::Fault;
use sealed::Sealed;

/// Whether this processor has the operations.
pub const SUPPORTED: bool = cfg!(any(target_arch = "aarch64", target_arch = "x86_64"));

/// Why a word was not read or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The word's page is gone. The word was not changed.
    Lost(Fault),
    /// No routines are written for this processor: see [`SUPPORTED`].
    Unsupported,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(fault) => fault.fmt(f),
            Self::Unsupported => f.write_str("no guarded atomics are written for this processor"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Lost(fault) => Some(fault),
            Self::Unsupported => None,
        }
    }
}

/// A word that can be read and changed at once: `u32` or `u64`.
pub trait Word: Sealed {}
impl Word for u32 {}
impl Word for u64 {}

#[cfg_attr(
    not(any(target_arch = "aarch64", target_arch = "x86_64")),
    allow(dead_code, reason = "there are no routines to call")
)]
mod sealed {
    pub trait Sealed: Copy + Eq {
        const WIDE: bool;
        fn raw(self) -> u64;
        fn of_raw(raw: u64) -> Self;
    }
    impl Sealed for u32 {
        const WIDE: bool = false;
        #[inline]
        fn raw(self) -> u64 {
            u64::from(self)
        }
        #[inline]
        #[allow(clippy::cast_possible_truncation, reason = "the routine returns 32 bits")]
        fn of_raw(raw: u64) -> Self {
            raw as u32
        }
    }
    impl Sealed for u64 {
        const WIDE: bool = true;
        #[inline]
        fn raw(self) -> u64 {
            self
        }
        #[inline]
        fn of_raw(raw: u64) -> Self {
            raw
        }
    }
}

/// What is done to a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Load,
    Store,
    Swap,
    CompareExchange,
    Add,
    And,
    Or,
    Xor,
}

/// What a [`Routine`] returns, in two registers.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
#[repr(C)]
pub(crate) struct Outcome {
    /// What the word was.
    pub(crate) before: u64,
    /// Not 0: the page is gone, and so nothing was done.
    pub(crate) lost: u64,
}

/// An operation: the word's address, a value, and the value to compare with.
///
/// # Safety
///
/// The address is aligned to the word, in a mapping that stays for the whole call and may be read
/// and, unless it is a load, written.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
pub(crate) type Routine = unsafe extern "C" fn(*mut (), u64, u64) -> Outcome;

/// Reads the word.
///
/// # Errors
///
/// [`Error::Lost`] when the page is gone; [`Error::Unsupported`].
///
/// # Safety
///
/// - `at` is aligned to its size, and lies in a mapping that stays for the whole call and is
///   readable by protection. Its page may be lost.
/// - As with any atomic, nobody in this process writes the word meanwhile by an access that isn't
///   one, and references to it follow the usual rules.
#[inline]
pub unsafe fn load<W: Word>(at: *const W) -> Result<W, Error> {
    // SAFETY: the caller's promise; a load writes nothing.
    unsafe { perform(Operation::Load, at.cast_mut(), W::of_raw(0), W::of_raw(0)) }
}

/// Writes the word.
///
/// # Errors
///
/// As for [`load`].
///
/// # Safety
///
/// As for [`load`], and the mapping is writable by protection: a write that the protection forbids
/// is a SIGSEGV, which isn't guarded against.
#[inline]
pub unsafe fn store<W: Word>(at: *mut W, value: W) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { perform(Operation::Store, at, value, W::of_raw(0)) }.map(|_| ())
}

/// Writes the word; returns what it was.
///
/// # Errors
///
/// As for [`load`].
///
/// # Safety
///
/// As for [`store`].
#[inline]
pub unsafe fn swap<W: Word>(at: *mut W, value: W) -> Result<W, Error> {
    // SAFETY: the caller's promise.
    unsafe { perform(Operation::Swap, at, value, W::of_raw(0)) }
}

/// Writes `new` if the word is `current`; says in the inner result what it was, `Ok` if that was
/// `current`. It doesn't fail without a reason.
///
/// # Errors
///
/// As for [`load`].
///
/// # Safety
///
/// As for [`store`].
#[inline]
pub unsafe fn compare_exchange<W: Word>(
    at: *mut W,
    current: W,
    new: W,
) -> Result<Result<W, W>, Error> {
    // SAFETY: the caller's promise.
    let before = unsafe { perform(Operation::CompareExchange, at, new, current) }?;
    Ok(if before == current { Ok(before) } else { Err(before) })
}

macro_rules! fetch {
    ($($(#[$doc:meta])* $name:ident: $operation:ident;)+) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// As for [`load`].
            ///
            /// # Safety
            ///
            /// As for [`store`].
            #[inline]
            pub unsafe fn $name<W: Word>(at: *mut W, value: W) -> Result<W, Error> {
                // SAFETY: the caller's promise.
                unsafe { perform(Operation::$operation, at, value, W::of_raw(0)) }
            }
        )+
    };
}

fetch! {
    /// Adds to the word, wrapping around; returns what it was.
    fetch_add: Add;
    /// Clears the word's bits that `value` hasn't set; returns what it was.
    fetch_and: And;
    /// Sets the word's bits that `value` has set; returns what it was.
    fetch_or: Or;
    /// Turns the word's bits over that `value` has set; returns what it was.
    fetch_xor: Xor;
}

/// # Safety
///
/// As for [`store`], and for [`Operation::Load`] as for [`load`].
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
#[inline(always)]
unsafe fn perform<W: Word>(
    operation: Operation,
    at: *mut W,
    value: W,
    expected: W,
) -> Result<W, Error> {
    debug_assert!(at.is_aligned(), "a word at {at:?}");
    let routine = crate::machine::words::routine(operation, W::WIDE);
    // SAFETY: the caller keeps the routine's conditions.
    let outcome = unsafe { routine(at.cast(), value.raw(), expected.raw()) };
    if outcome.lost == 0 { Ok(W::of_raw(outcome.before)) } else { Err(lost(at.addr())) }
}

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
#[cold]
fn lost(address: usize) -> Error {
    Error::Lost(Fault::new(0, address))
}

/// # Safety
///
/// Nothing is touched.
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
#[inline(always)]
unsafe fn perform<W: Word>(_: Operation, _: *mut W, _: W, _: W) -> Result<W, Error> {
    Err(Error::Unsupported)
}
