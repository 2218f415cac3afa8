//! Reads of a mapping.

use super::pieces::{as_uninit, in_pieces, read_onto};
use super::{Mapping, Range};
use crate::error::Asked;
use crate::{Error, ErrorKind};
use alloc::vec::Vec;
use core::mem::MaybeUninit;

/// Up to so many bytes are allocated for before it is known that the range lies inside.
const UNCHECKED: u64 = 64 << 10;

impl Mapping {
    /// Reads into `buf` from `offset` on, and returns how many bytes: as many as `buf` has, or as
    /// there are up to the end of the mapping, and 0 behind it.
    ///
    /// In a component, the host writes into `buf` itself: nothing is allocated and nothing is
    /// copied twice. What `buf` holds after an error is unspecified.
    ///
    /// More bytes than the host moves in one call are read in several. Where the mapping ends is
    /// known beforehand, so that the host has nothing to refuse there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Eacces`]: the mapping is not for reading. [`ErrorKind::Sigbus`]: the file no
    /// longer backs a page of the range. [`ErrorKind::Closed`].
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let mut len = self.known_len()?;
        if left(len, offset) < buf.len() {
            len = self.len()?;
        }
        loop {
            let n = buf.len().min(left(len, offset));
            // Also if it is nothing: who may not read is told so, whatever there is to be read.
            match self.read_exact_at(offset.min(len), &mut buf[..n]) {
                Err(error) if error == ErrorKind::OutOfBounds && self.len()? < len => {
                    len = self.known_len()?;
                }
                done => return done.map(|()| n),
            }
        }
    }

    /// Fills `buf` from `offset` on.
    ///
    /// In a component, the host writes into `buf` itself: nothing is allocated and nothing is
    /// copied twice. What `buf` holds after an error is unspecified.
    ///
    /// More bytes than the host moves in one call are read in several.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfBounds`]: there is less than that up to the end of the mapping.
    /// [`ErrorKind::Eacces`], [`ErrorKind::Sigbus`], [`ErrorKind::Closed`] as for
    /// [`read_at`](Mapping::read_at).
    #[inline]
    pub fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        self.fill(offset, as_uninit(buf))
    }

    /// Reads `length` bytes from `offset` on into a new vector.
    ///
    /// # Errors
    ///
    /// Those of [`read_exact_at`](Mapping::read_exact_at); [`ErrorKind::Enomem`]: the guest has no
    /// memory for so many.
    pub fn read_to_vec(&self, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        let range = Range { offset, length };
        self.vec(range.end(), length, |buf| self.fill(offset, buf))
            .map_err(self.when(Asked::Read { offset, length }))
    }

    /// Reads many ranges in one call and returns their bytes back to back, in order. The ranges
    /// may overlap, and may be empty. All of them are checked before the first byte is read.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("index");
    /// # std::fs::write(&path, b"head, body and tail")?;
    /// # let index = iommap_guest::Mapping::open(&path)?;
    /// let bytes = index.read_many(&[(0..4).into(), (15..19).into()])?;
    /// assert_eq!(bytes, b"headtail");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`read_to_vec`](Mapping::read_to_vec), for any of the ranges;
    /// [`ErrorKind::LimitExceeded`]: all of them together are more than the host moves in one
    /// call, at 16 bytes a range for the list.
    pub fn read_many(&self, ranges: &[Range]) -> Result<Vec<u8>, Error> {
        let total = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.length));
        let end = ranges.iter().map(|range| range.end()).max().unwrap_or(0);
        self.vec(end, total, |buf| self.handle.read_many(ranges, buf))
            .map_err(self.when(Asked::ReadMany { ranges: ranges.len(), length: total }))
    }

    /// Reads many ranges in one call into `buf`, back to back, in order: what
    /// [`read_many`](Mapping::read_many) does, without an allocation. What `buf` holds after an
    /// error is unspecified.
    ///
    /// # Errors
    ///
    /// Those of [`read_many`](Mapping::read_many); [`ErrorKind::Badarg`]: the lengths of the
    /// ranges don't add up to that of `buf`.
    pub fn read_many_into(&self, ranges: &[Range], buf: &mut [u8]) -> Result<(), Error> {
        let total = ranges.iter().try_fold(0u64, |sum, range| sum.checked_add(range.length));
        let asked = Asked::ReadMany { ranges: ranges.len(), length: buf.len() as u64 };
        if total != Some(buf.len() as u64) {
            return Err(self.when(asked)(ErrorKind::Badarg.into()));
        }
        self.handle.read_many(ranges, as_uninit(buf)).map_err(self.when(asked))
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn fill(&self, offset: u64, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
        let length = buf.len() as u64;
        in_pieces(offset, buf.len(), |offset, piece| self.handle.read(offset, &mut buf[piece]))
            .map_err(self.when(Asked::Read { offset, length }))
    }

    /// The same, where the file has to reach to the end.
    #[cfg(feature = "changes")]
    pub(crate) fn strictly(&self, offset: u64, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
        in_pieces(offset, buf.len(), |offset, piece| {
            self.handle.read_strict(offset, &mut buf[piece])
        })
    }

    /// What is at an offset, as much as fits or is there: for a reader, who asks again.
    #[cfg(feature = "std")]
    pub(crate) fn read_some(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        #[cfg(feature = "changes")]
        return self.read_up_to(offset, buf);
        #[cfg(not(feature = "changes"))]
        self.read_at(offset, buf)
    }

    /// A vector of this many bytes that `fill` fills. The bytes come from in front of `end`.
    fn vec(
        &self,
        end: u64,
        length: u64,
        fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<(), Error>,
    ) -> Result<Vec<u8>, Error> {
        if length > UNCHECKED {
            // Nothing is where the mapping ends, but whoever may read up to there may read that.
            self.handle.read(end, &mut [])?;
        }
        let mut bytes = Vec::new();
        read_onto(&mut bytes, length, fill)?;
        Ok(bytes)
    }
}

/// How many bytes there are from `offset` on, as far as a buffer may be as large.
fn left(len: u64, offset: u64) -> usize {
    usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX)
}
