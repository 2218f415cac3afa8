//! What one mapping holds: ranges of a file, each shared or exclusive.
//!
//! The kernel keeps such a list for each open file description, and joins and splits as this does:
//! ranges that touch and have one mode are one. So the number here is that of the kernel's records.

use std::collections::BTreeMap;
use std::ops::Range;

/// Whom a lock keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockMode {
    /// Others may hold shared locks on the same bytes, and no exclusive one.
    Shared,
    /// Nobody else holds a lock on the same bytes.
    Exclusive,
}

/// A lock that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) range: Range<u64>,
    pub(super) mode: LockMode,
}

impl Wish {
    /// Can't both be held at once?
    pub(super) fn excludes(&self, other: &Wish) -> bool {
        excludes(self.mode, other.mode) && overlap(&self.range, &other.range)
    }
}

fn excludes(one: LockMode, other: LockMode) -> bool {
    one == LockMode::Exclusive || other == LockMode::Exclusive
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Ranges by where they start. None overlap, and those that touch differ in their mode.
#[derive(Debug, Default)]
pub(super) struct Ranges(BTreeMap<u64, (u64, LockMode)>);

/// What is taken away and what is put in its place.
#[derive(Debug)]
pub(super) struct Change {
    without: Vec<u64>,
    with: Vec<(u64, u64, LockMode)>,
    /// Could others have something then that they can't have now?
    pub(super) frees: bool,
}

impl Ranges {
    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Does something here keep others from having this?
    pub(super) fn exclude(&self, wish: &Wish) -> bool {
        self.touching(&wish.range)
            .any(|(held, mode)| overlap(&held, &wish.range) && excludes(mode, wish.mode))
    }

    /// What comes of holding a range in this mode, or of not holding it any more.
    pub(super) fn change(&self, range: &Range<u64>, mode: Option<LockMode>) -> Change {
        let mut change = Change { without: Vec::new(), with: Vec::new(), frees: false };
        let mut whole = range.clone();
        for (held, held_mode) in self.touching(range) {
            if Some(held_mode) == mode {
                whole = whole.start.min(held.start)..whole.end.max(held.end);
            } else if overlap(&held, range) {
                change.frees |= mode != Some(LockMode::Exclusive);
                if held.start < range.start {
                    change.with.push((held.start, range.start, held_mode));
                }
                if range.end < held.end {
                    change.with.push((range.end, held.end, held_mode));
                }
            } else {
                continue;
            }
            change.without.push(held.start);
        }
        change.with.extend(mode.map(|mode| (whole.start, whole.end, mode)));
        change
    }

    /// How many there will be.
    pub(super) fn len_after(&self, change: &Change) -> u64 {
        (self.0.len() - change.without.len() + change.with.len()) as u64
    }

    pub(super) fn apply(&mut self, change: Change) {
        for start in change.without {
            self.0.remove(&start);
        }
        self.0.extend(change.with.into_iter().map(|(start, end, mode)| (start, (end, mode))));
    }

    /// Those that overlap a range or touch it.
    fn touching(&self, range: &Range<u64>) -> impl Iterator<Item = (Range<u64>, LockMode)> {
        let (start, end) = (range.start, range.end);
        let before = self.0.range(..start).next_back().filter(|(_, (before, _))| *before >= start);
        let rest = self.0.range(start..=end);
        before.into_iter().chain(rest).map(|(&start, &(end, mode))| (start..end, mode))
    }
}

#[cfg(test)]
mod tests {
    use super::LockMode::{Exclusive, Shared};
    use super::*;

    fn set(ranges: &mut Ranges, range: Range<u64>, mode: Option<LockMode>) {
        let change = ranges.change(&range, mode);
        let after = ranges.len_after(&change);
        ranges.apply(change);
        assert_eq!(ranges.len(), after);
    }

    #[test]
    fn ranges_are_joined_and_split_as_a_table_of_bytes_says() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut ranges = Ranges::default();
        let mut bytes = [None; 40];
        for step in 0..20_000 {
            let start = random.usize(0..39);
            let end = random.usize(start + 1..40);
            let mode = *random.choice(&[None, Some(Shared), Some(Exclusive)]).unwrap();
            set(&mut ranges, start as u64..end as u64, mode);
            bytes[start..end].fill(mode);
            let pieces = bytes.chunk_by(|one, other| one == other);
            let held = pieces.filter(|piece| piece[0].is_some()).count();
            assert_eq!(ranges.len(), held as u64, "step {step}: {ranges:?}");
            let at = random.usize(0..40);
            for mode in [Shared, Exclusive] {
                let wish = Wish { range: at as u64..at as u64 + 1, mode };
                let other = bytes[at].is_some_and(|held| excludes(held, mode));
                assert_eq!(ranges.exclude(&wish), other, "step {step}: {wish:?} in {ranges:?}");
            }
        }
    }

    #[test]
    fn a_range_to_the_end_is_joined_like_any() {
        let mut ranges = Ranges::default();
        set(&mut ranges, 5..1 << 63, Some(Shared));
        set(&mut ranges, 0..5, Some(Shared));
        assert_eq!(ranges.len(), 1);
        set(&mut ranges, 100..200, None);
        assert_eq!(ranges.len(), 2);
        set(&mut ranges, 0..1 << 63, Some(Exclusive));
        assert_eq!(ranges.len(), 1);
    }
}
