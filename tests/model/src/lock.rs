//! Locks that a mapping holds: a list of ranges, worked out anew each time.

use iommap::{LockMode, Range};

/// Behind all that a file may have.
const END: u64 = 1 << 63;

/// A range that a mapping holds: from, up to, and how.
pub(crate) type Held = (u64, u64, LockMode);

/// The bytes that a range of the interface names; length 0 means to the end.
pub(crate) fn named(range: Range) -> Result<(u64, u64), &'static str> {
    let Range { offset, length } = range;
    match offset.checked_add(length) {
        Some(_) if length == 0 && offset < END => Ok((offset, END)),
        Some(end) if length > 0 && end < END => Ok((offset, end)),
        _ => Err("badarg"),
    }
}

/// Does one of these keep somebody else from having a range so?
pub(crate) fn excludes(held: &[Held], (from, to): (u64, u64), mode: LockMode) -> bool {
    let alone = |other| mode == LockMode::Exclusive || other == LockMode::Exclusive;
    held.iter().any(|(start, end, other)| *start < to && from < *end && alone(*other))
}

/// What is held once a range is held so, or given back.
pub(crate) fn after(held: &[Held], (from, to): (u64, u64), mode: Option<LockMode>) -> Vec<Held> {
    // What is left on either side of the range, and the range.
    let before = held.iter().map(|(start, end, mode)| (*start, (*end).min(from), *mode));
    let behind = held.iter().map(|(start, end, mode)| ((*start).max(to), *end, *mode));
    let range = mode.map(|mode| (from, to, mode));
    let mut pieces: Vec<Held> = before.chain(behind).chain(range).collect();
    pieces.retain(|(start, end, _)| start < end);
    pieces.sort_by_key(|(start, ..)| *start);
    // Those that touch and are held in one way are one.
    let mut joined: Vec<Held> = Vec::new();
    for piece in pieces {
        match joined.last_mut() {
            Some(last) if last.1 == piece.0 && last.2 == piece.2 => last.1 = piece.1,
            _ => joined.push(piece),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use LockMode::{Exclusive, Shared};

    #[test]
    fn ranges_are_cut_and_joined() {
        let all = after(&[], (0, END), Some(Shared));
        let split = after(&all, (10, 20), Some(Exclusive));
        assert_eq!(split, [(0, 10, Shared), (10, 20, Exclusive), (20, END, Shared)]);
        assert_eq!(after(&split, (10, 20), Some(Shared)), all);
        assert_eq!(after(&split, (0, 15), None), [(15, 20, Exclusive), (20, END, Shared)]);
        assert!(excludes(&split, (19, 30), Shared) && !excludes(&split, (20, 30), Shared));
        assert!(excludes(&split, (20, 30), Exclusive));
    }

    #[test]
    fn no_file_has_bytes_behind_its_end() {
        let named = |offset, length| named(Range { offset, length });
        assert_eq!(named(5, 0), Ok((5, END)));
        assert_eq!(named(5, 1), Ok((5, 6)));
        for (offset, length) in [(END, 0), (u64::MAX, 1), (1, END - 1), (7, u64::MAX)] {
            assert_eq!(named(offset, length), Err("badarg"), "{offset}+{length}");
        }
    }
}
