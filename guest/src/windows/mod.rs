//! Some windows that slide over a file of any length.

mod admission;
mod piece;
mod set;

pub use piece::Piece;

use crate::mapping::read_onto;
use crate::{Error, ErrorKind, Mapping, Range};
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::cell::RefCell;
use core::fmt;
use set::Set;

/// How many windows there are at most, unless it is said.
const WINDOWS: usize = 16;

/// How many bytes each shows.
const BYTES: usize = 4 << 20;

/// Reads a mapping of any length through some windows, and by a copy where none is: whatever the
/// host has, the bytes are the same, and the errors.
///
/// The file is looked at in chunks. One that is read often gets a window, and if there are as many
/// as there may be, the one that was read longest ago moves there. Everything else is read as
/// [`Mapping::read_exact_at`] does it: a window costs as much as some thirty small reads, so one that
/// would not be used as often is not opened. Where the host has no windows, or not for this guest
/// or this file, all is read that way.
///
/// It takes a mapping, or anything that lends one: `&Mapping`, `Rc<Mapping>`, `Arc<Mapping>`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("table");
/// # std::fs::write(&path, (0..1000u64).flat_map(u64::to_le_bytes).collect::<Vec<_>>())?;
/// use iommap_guest::{Mapping, Windows};
///
/// let table = Windows::new(Mapping::open(&path)?);
/// let mut sum = 0;
/// for index in 0..1000 {
///     sum += table.u64_le_at(8 * index)?;
/// }
/// assert_eq!(sum, 499_500);
/// # Ok(())
/// # }
/// ```
///
/// A page that is lost is [`ErrorKind::Sigbus`] for reads of that page, and what lies before it can
/// still be read, as with the mapping.
pub struct Windows<M: Borrow<Mapping>> {
    mapping: M,
    set: RefCell<Set>,
    /// What was copied for a [`Piece`].
    copied: Vec<u8>,
}

impl<M: Borrow<Mapping>> Windows<M> {
    /// At most 16 windows of 4 MiB.
    pub fn new(mapping: M) -> Windows<M> {
        Windows::with_capacity(WINDOWS, BYTES, mapping)
    }

    /// At most so many windows of so many bytes each, rounded up to a power of two of at least 64
    /// KiB. Each takes that much of the guest's memory, once it is opened, and 128 KiB more.
    ///
    /// With 0 windows, all is read by a copy.
    pub fn with_capacity(windows: usize, bytes: usize, mapping: M) -> Windows<M> {
        Windows { mapping, set: RefCell::new(Set::new(windows, bytes)), copied: Vec::new() }
    }

    /// The mapping.
    pub fn mapping(&self) -> &Mapping {
        self.mapping.borrow()
    }

    /// What was given to it.
    pub fn into_inner(self) -> M {
        self.mapping
    }

    /// How many windows are open.
    pub fn count(&self) -> usize {
        self.set.borrow().count()
    }

    /// How many reads were copies by the host so far, for want of a window.
    pub fn copies(&self) -> u64 {
        self.set.borrow().copies()
    }

    /// Reads into `buf` from `offset` on, and returns how many bytes: as many as `buf` has, or as
    /// there are up to the end of the mapping, and 0 behind it.
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::read_at`].
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        match self.read_exact_at(offset, buf) {
            Ok(()) => Ok(buf.len()),
            // The mapping knows where it ends.
            Err(error) if error == ErrorKind::OutOfBounds => self.mapping().read_at(offset, buf),
            Err(error) => Err(error),
        }
    }

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::read_exact_at`].
    #[inline]
    pub fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let range = Range { offset, length: buf.len() as u64 };
        let mapping = self.mapping.borrow();
        let mut set = self.set.borrow_mut();
        if let Some((window, at)) = set.window(mapping, range)
            && window.read_exact_at(at, buf).is_ok()
        {
            return Ok(());
        }
        set.copy();
        mapping.read_exact_at(offset, buf)
    }

    /// The `N` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::read_exact_at`].
    #[inline]
    pub fn read_array<const N: usize>(&self, offset: u64) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.read_exact_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Bytes of the file where they lie: in a window, or copied if they are in none. For as long as
    /// they are borrowed, no window moves.
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::read_exact_at`]; [`ErrorKind::Enomem`]: the guest has no memory for a
    /// copy.
    pub fn get(&mut self, offset: u64, length: usize) -> Result<Piece<'_>, Error> {
        let range = Range { offset, length: length as u64 };
        let mapping = self.mapping.borrow();
        let set = self.set.get_mut();
        if let Some(found) = set.find_whole(mapping, range) {
            let (window, at) = set.at(found, offset);
            return Ok(Piece::shown(window, at, length));
        }
        set.copy();
        // Nothing is allocated for what is not there.
        mapping.read_exact_at(offset.saturating_add(length as u64), &mut [])?;
        self.copied.clear();
        read_onto(&mut self.copied, length as u64, |buf| mapping.fill(offset, buf))?;
        Ok(Piece::copied(&self.copied))
    }
}

/// Methods that read a number, by their names.
macro_rules! numbers {
    ($($name:ident: $type:ident, $from:ident, $order:literal;)*) => {$(
        #[doc = concat!("The `", stringify!($type), "` at `offset`", $order, ".")]
        ///
        /// # Errors
        ///
        /// Those of [`Mapping::read_exact_at`].
        #[inline]
        pub fn $name(&self, offset: u64) -> Result<$type, Error> {
            self.read_array(offset).map($type::$from)
        }
    )*};
}

impl<M: Borrow<Mapping>> Windows<M> {
    numbers! {
        u8_at: u8, from_le_bytes, "";
        u16_le_at: u16, from_le_bytes, ", its least byte first";
        u32_le_at: u32, from_le_bytes, ", its least byte first";
        u64_le_at: u64, from_le_bytes, ", its least byte first";
        u16_be_at: u16, from_be_bytes, ", its greatest byte first";
        u32_be_at: u32, from_be_bytes, ", its greatest byte first";
        u64_be_at: u64, from_be_bytes, ", its greatest byte first";
    }
}

impl<M: Borrow<Mapping>> fmt::Debug for Windows<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows").field("mapping", self.mapping()).finish_non_exhaustive()
    }
}
