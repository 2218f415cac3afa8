//! Moves bytes in as few calls as the host's limit on a call allows, and fills memory with them.

use crate::{Error, ErrorKind};
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many bytes the host has moved in one call after it had refused more. The limit is that of
/// the whole guest, so every mapping's calls heed it, and only the first ever finds it out.
static PIECE: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Moves `length` bytes by `call`, in one piece or in as many as the host's limit asks for.
///
/// Whatever else is wrong is said before anything moves: the first call is for all of the bytes,
/// the host checking everything else before it looks at the limit; or, where that is known to be
/// too much, for none of them, at their end.
#[inline]
pub(super) fn in_pieces(
    offset: u64,
    length: usize,
    call: impl FnMut(u64, Range<usize>) -> Result<(), Error>,
) -> Result<(), Error> {
    in_pieces_of(&PIECE, offset, length, call)
}

#[inline]
fn in_pieces_of(
    piece: &AtomicUsize,
    offset: u64,
    length: usize,
    mut call: impl FnMut(u64, Range<usize>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut most = piece.load(Relaxed);
    if length > most {
        call(offset.saturating_add(length as u64), length..length)?;
    }
    most = most.min(length);
    let (mut done, mut refused) = (0usize, false);
    loop {
        let end = length.min(done.saturating_add(most));
        match call(offset.saturating_add(done as u64), done..end) {
            Ok(()) => {
                if refused {
                    piece.store(most, Relaxed);
                    refused = false;
                }
                if end == length {
                    return Ok(());
                }
                done = end;
            }
            Err(error) if most > 1 && error == ErrorKind::LimitExceeded => {
                most = most.div_ceil(2);
                refused = true;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Appends `length` bytes that `fill` fills.
pub(crate) fn read_onto(
    bytes: &mut Vec<u8>,
    length: u64,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<(), Error>,
) -> Result<(), Error> {
    let no_memory = || Error::from(ErrorKind::Enomem);
    let length = usize::try_from(length).map_err(|_| no_memory())?;
    bytes.try_reserve(length).map_err(|_| no_memory())?;
    fill(&mut bytes.spare_capacity_mut()[..length])?;
    // SAFETY: there is room for so many, and `sys` has filled all of it.
    unsafe { bytes.set_len(bytes.len() + length) };
    Ok(())
}

/// Bytes that may be written to. `sys` writes nothing but bytes.
pub(crate) fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the same bytes with the same alignment. That nothing uninitialised is written
    // through it is kept by `sys`, which either fills it or leaves initialised bytes.
    unsafe { &mut *(bytes as *mut [u8] as *mut [MaybeUninit<u8>]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// The calls that a host gets which moves at most 1000 bytes in one, and has 10,000.
    fn calls(piece: &AtomicUsize, offset: u64, length: usize) -> (Vec<(u64, usize)>, bool) {
        let mut calls = Vec::new();
        let done = in_pieces_of(piece, offset, length, |offset, piece| {
            calls.push((offset, piece.len()));
            match piece.len() {
                length if offset.saturating_add(length as u64) > 10_000 => {
                    Err(ErrorKind::OutOfBounds.into())
                }
                1001.. => Err(ErrorKind::LimitExceeded.into()),
                _ => Ok(()),
            }
        });
        (calls, done.is_ok())
    }

    #[test]
    fn a_piece_that_worked_is_remembered() {
        let piece = AtomicUsize::new(usize::MAX);
        let (first, ok) = calls(&piece, 0, 3000);
        let sizes: Vec<_> = first.iter().map(|(_, length)| *length).collect();
        assert!(ok && sizes == [3000, 1500, 750, 750, 750, 750], "{sizes:?}");
        // Later none is refused; and what fits is one call.
        assert_eq!(calls(&piece, 0, 1600).0, [(1600, 0), (0, 750), (750, 750), (1500, 100)]);
        assert_eq!(calls(&piece, 7, 750).0, [(7, 750)]);
    }

    #[test]
    fn nothing_moves_if_a_part_of_it_is_out_of_bounds() {
        let piece = AtomicUsize::new(usize::MAX);
        assert_eq!(calls(&piece, 9000, 1500), ([(9000, 1500)].into(), false));
        piece.store(500, Relaxed);
        assert_eq!(calls(&piece, 9000, 1500), ([(10_500, 0)].into(), false));
        assert_eq!(calls(&piece, u64::MAX, 1500), ([(u64::MAX, 0)].into(), false));
    }

    #[test]
    fn a_limit_that_refuses_every_size_is_an_error() {
        let piece = AtomicUsize::new(usize::MAX);
        let refused = |_, _| Err(ErrorKind::LimitExceeded.into());
        assert_eq!(in_pieces_of(&piece, 0, 100, refused).unwrap_err(), ErrorKind::LimitExceeded);
        assert_eq!(piece.load(Relaxed), usize::MAX);
    }
}
