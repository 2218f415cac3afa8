//! Words of a mapping that are read and changed at once, as `std::sync::atomic` has them.

use crate::error::Asked;
use crate::sys::Handle;
use crate::{Error, Mapping};
use core::time::Duration;

/// What came of waiting on a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waited {
    /// Somebody has notified. What was waited for need not have come: look again.
    Woken,
    /// The word is not what was expected.
    NotEqual,
    /// The time is over.
    TimedOut,
}

/// What is done to a word by a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    And,
    Or,
    Xor,
    Exchange,
}

/// What a handle does to words of one size.
pub(crate) trait Word: Copy + Eq {
    fn load(handle: &Handle, offset: u64) -> Result<Self, Error>;
    fn store(handle: &Handle, offset: u64, value: Self) -> Result<(), Error>;
    /// What it was.
    fn change(handle: &Handle, offset: u64, change: Change, value: Self) -> Result<Self, Error>;
    /// What it was: `current` if and only if it is `new` now.
    fn compare_exchange(
        handle: &Handle,
        offset: u64,
        current: Self,
        new: Self,
    ) -> Result<Self, Error>;
}

impl Mapping {
    /// The word of 32 bits at an offset, which is a multiple of 4. Nothing is checked before it is
    /// used.
    pub fn atomic_u32(&self, offset: u64) -> AtomicU32<'_> {
        AtomicU32 { mapping: self, offset }
    }

    /// The word of 64 bits at an offset, which is a multiple of 8. Nothing is checked before it is
    /// used.
    pub fn atomic_u64(&self, offset: u64) -> AtomicU64<'_> {
        AtomicU64 { mapping: self, offset }
    }
}

macro_rules! atomic {
    ($(#[$doc:meta])* $name:ident, $word:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name<'m> {
            mapping: &'m Mapping,
            offset: u64,
        }

        impl $name<'_> {
            /// Reads the word.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Eacces`](crate::ErrorKind::Eacces): the mapping is not for reading.
            /// [`ErrorKind::Badarg`](crate::ErrorKind::Badarg): the offset is not a multiple of the
            /// word's size. [`ErrorKind::OutOfBounds`](crate::ErrorKind::OutOfBounds).
            /// [`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup): the host's processor is neither an
            /// x86-64 nor an aarch64. [`ErrorKind::Sigbus`](crate::ErrorKind::Sigbus): the file no
            /// longer backs the word's page. [`ErrorKind::Closed`](crate::ErrorKind::Closed).
            pub fn load(self) -> Result<$word, Error> {
                self.named(Word::load(self.mapping.handle(), self.offset))
            }

            /// Writes the word.
            ///
            /// # Errors
            ///
            /// Those of [`load`](Self::load), but
            /// [`ErrorKind::Eacces`](crate::ErrorKind::Eacces) for a mapping whose writes don't reach
            /// the file. After an error the word is what it was.
            pub fn store(self, value: $word) -> Result<(), Error> {
                self.named(Word::store(self.mapping.handle(), self.offset, value))
            }

            /// Writes the word; returns what it was.
            ///
            /// # Errors
            ///
            /// Those of [`load`](Self::load) and of [`store`](Self::store).
            pub fn swap(self, value: $word) -> Result<$word, Error> {
                self.change(Change::Exchange, value)
            }

            /// Writes `new` if the word is `current`; says in the inner result what it was, `Ok` if
            /// that was `current`. It doesn't fail without a reason.
            ///
            /// # Errors
            ///
            /// Those of [`swap`](Self::swap).
            pub fn compare_exchange(
                self,
                current: $word,
                new: $word,
            ) -> Result<Result<$word, $word>, Error> {
                let handle = self.mapping.handle();
                let before =
                    self.named(Word::compare_exchange(handle, self.offset, current, new))?;
                Ok(if before == current { Ok(before) } else { Err(before) })
            }

            /// Adds to the word, wrapping around; returns what it was.
            ///
            /// # Errors
            ///
            /// Those of [`swap`](Self::swap).
            pub fn fetch_add(self, value: $word) -> Result<$word, Error> {
                self.change(Change::Add, value)
            }

            /// Subtracts from the word, wrapping around; returns what it was.
            ///
            /// # Errors
            ///
            /// Those of [`swap`](Self::swap).
            pub fn fetch_sub(self, value: $word) -> Result<$word, Error> {
                self.change(Change::Add, value.wrapping_neg())
            }

            /// Clears the bits that `value` hasn't set; returns what the word was.
            ///
            /// # Errors
            ///
            /// Those of [`swap`](Self::swap).
            pub fn fetch_and(self, value: $word) -> Result<$word, Error> {
                self.change(Change::And, value)
            }

            /// Sets the bits that `value` has set; returns what the word was.
            ///
            /// # Errors
            ///
            /// Those of [`swap`](Self::swap).
            pub fn fetch_or(self, value: $word) -> Result<$word, Error> {
                self.change(Change::Or, value)
            }

            /// Turns the bits over that `value` has set; returns what the word was.
            ///
            /// # Errors
            ///
            /// Those of [`swap`](Self::swap).
            pub fn fetch_xor(self, value: $word) -> Result<$word, Error> {
                self.change(Change::Xor, value)
            }

            fn change(self, change: Change, value: $word) -> Result<$word, Error> {
                self.named(Word::change(self.mapping.handle(), self.offset, change, value))
            }

            fn named<R>(self, result: Result<R, Error>) -> Result<R, Error> {
                result.map_err(self.mapping.when(Asked::Word(self.offset)))
            }
        }

        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name)).field("offset", &self.offset).finish_non_exhaustive()
            }
        }
    };
}

atomic! {
    /// A word of 32 bits in a mapping's file, that all who map the file read and change at once: each
    /// operation is sequentially consistent, and one call into the host. In a window that is shared,
    /// wasm's own atomics act on the same words.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(not(target_os = "linux")) { return Ok(()) }
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("counters");
    /// use iommap_guest::Mapping;
    ///
    /// let mut options = Mapping::options();
    /// options.read(true).write(true).create(true).size(4096);
    /// let (one, other) = (options.open(&path)?, options.open(&path)?);
    /// one.atomic_u32(8).store(40)?;
    /// assert_eq!(other.atomic_u32(8).fetch_add(2)?, 40);
    /// assert_eq!(one.atomic_u32(8).compare_exchange(42, 0)?, Ok(42));
    /// # Ok(())
    /// # }
    /// ```
    AtomicU32, u32
}

atomic! {
    /// A word of 64 bits in a mapping's file, as [`AtomicU32`] is one of 32.
    AtomicU64, u64
}

impl AtomicU32<'_> {
    /// Waits for as long as the word is `expected`, until somebody notifies, here or elsewhere:
    /// another component, or a native program by `FUTEX_WAKE` on the same word. `timeout` says how
    /// long at most.
    ///
    /// In a component the host takes turns with the program while this lasts, so that it can be ended.
    /// Whoever notifies in between finds nobody: let them change the word before they do, so that it
    /// is found to be another.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load). [`ErrorKind::Eacces`](crate::ErrorKind::Eacces): the mapping is
    /// private. [`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup): nobody can wait on the host's system,
    /// or this program may not. [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded): as many
    /// wait as may.
    pub fn wait(self, expected: u32, timeout: Option<Duration>) -> Result<Waited, Error> {
        let waited = self.mapping.handle().wait(self.offset, expected, timeout);
        waited.map_err(self.mapping.when(Asked::Wait(self.offset)))
    }

    /// Wakes up to `count` of those who wait on the word, in whatever program, and returns how many.
    /// The system wakes those first who came first, and a component that waits comes anew many times a
    /// second.
    ///
    /// # Errors
    ///
    /// Those of [`store`](Self::store), and [`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup): nobody
    /// can wait on the host's system.
    pub fn notify(self, count: u32) -> Result<u32, Error> {
        self.named(self.mapping.handle().notify(self.offset, count))
    }
}
