//! Where the bytes come from.

use std::fmt;

/// A file, or what stands for one, that can be read at any offset.
///
/// Calls into a host cost more than the bytes they bring, so a database asks for little, seldom,
/// and for many pieces at once where it can.
pub trait Source {
    /// Why it could not be read.
    type Error;

    /// Its length in bytes.
    fn len(&self) -> Result<u64, Self::Error>;

    /// Fills `buffer` with the bytes from `offset` on; fewer than that is an error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Self::Error>;

    /// Fills `buffer` with pieces of the same length, one from each of `offsets`, back to back.
    /// `buffer` is as long as that many pieces.
    fn read_many(&self, offsets: &[u64], buffer: &mut [u8]) -> Result<(), Self::Error> {
        let Some(length) = buffer.len().checked_div(offsets.len()) else { return Ok(()) };
        for (&offset, piece) in offsets.iter().zip(buffer.chunks_exact_mut(length.max(1))) {
            self.read_at(offset, piece)?;
        }
        Ok(())
    }

    /// Whether the bytes are in memory, so that a read costs no more than what it brings. Then
    /// they are read as they are needed, and not ahead or together.
    fn near(&self) -> bool {
        false
    }

    /// Gives `next` the eight bytes at `offset`, then those at the offset that it returns, and so on
    /// until it returns none. False if a read failed or can't be trusted: then nothing that `next` was
    /// given counts, and [`read_at`](Source::read_at) of the same bytes says what is wrong.
    ///
    /// Only of sources that are [`near`](Source::near).
    fn follow(&self, _offset: u64, _next: impl FnMut([u8; 8]) -> Option<u64>) -> bool {
        false
    }

    /// Whether there is nothing in it.
    fn is_empty(&self) -> Result<bool, Self::Error> {
        Ok(self.len()? == 0)
    }
}

impl<S: Source> Source for &S {
    type Error = S::Error;

    fn len(&self) -> Result<u64, S::Error> {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), S::Error> {
        (**self).read_at(offset, buffer)
    }

    fn read_many(&self, offsets: &[u64], buffer: &mut [u8]) -> Result<(), S::Error> {
        (**self).read_many(offsets, buffer)
    }

    fn near(&self) -> bool {
        (**self).near()
    }

    fn follow(&self, offset: u64, next: impl FnMut([u8; 8]) -> Option<u64>) -> bool {
        (**self).follow(offset, next)
    }
}

/// Bytes in memory: a `Vec<u8>`, a `&[u8]`.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<T>(pub T);

/// A range that does not lie in the [`Bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastTheEnd;

impl fmt::Display for PastTheEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("past the end of the bytes")
    }
}

impl std::error::Error for PastTheEnd {}

impl<T: AsRef<[u8]>> Source for Bytes<T> {
    type Error = PastTheEnd;

    fn len(&self) -> Result<u64, PastTheEnd> {
        Ok(self.0.as_ref().len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), PastTheEnd> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.as_ref().get(offset..));
        let bytes = rest.and_then(|rest| rest.get(..buffer.len())).ok_or(PastTheEnd)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn near(&self) -> bool {
        true
    }

    #[inline(always)]
    fn follow(&self, mut offset: u64, mut next: impl FnMut([u8; 8]) -> Option<u64>) -> bool {
        let bytes = self.0.as_ref();
        loop {
            let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
            let Some(word) = rest.and_then(|rest| rest.first_chunk()) else { return false };
            match next(*word) {
                Some(on) => offset = on,
                None => return true,
            }
        }
    }
}

/// The last bytes: the same after all other reads as before them, if nobody has cut the file
/// meanwhile.
///
/// A page that is gone is an error, but the rest of one that was cut in the middle reads as zeros,
/// and a tree of zeros has answers, too. Where the file was cut, its end is gone, or zeros.
pub fn end<S: Source>(source: &S) -> Result<[u8; 16], S::Error> {
    let mut end = [0; 16];
    let length = source.len()?;
    let start = length.saturating_sub(end.len() as u64);
    source.read_at(start, &mut end[..(length - start) as usize])?;
    Ok(end)
}
