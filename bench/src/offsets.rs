//! The offsets of the operations, and what the file holds at each of them.
//!
//! Every contender makes the same offsets from the same seed. Those in wasm do it themselves, so
//! that nothing but the operation crosses the boundary.

use std::hint::black_box;

/// The file's length: what "at random" goes over.
pub(crate) const FILE_BYTES: u64 = 256 << 20;
/// The hot set: it stays in the processor's cache.
pub(crate) const HOT_BYTES: u64 = 64 << 10;

/// The parameters of a loop in wasm: those of [`Work`].
pub(crate) type Params = (u32, u32, u64, u64, u64);

/// What a loop is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// How many operations; for a batched loop, how many calls. At least one.
    pub(crate) count: u32,
    /// Bytes of one operation, a power of two.
    pub(crate) size: u32,
    /// What of the generator's state is an offset: a multiple of `size` within the place.
    pub(crate) mask: u64,
    /// 0 for offsets at random; else from one to the next.
    pub(crate) step: u64,
    /// The generator's first state; not 0.
    pub(crate) seed: u64,
}

impl Work {
    /// As a loop takes it.
    pub(crate) fn params(self) -> Params {
        (self.count, self.size, self.mask, self.step, self.seed)
    }

    /// The state of the generator after all operations of `batch` offsets each.
    pub(crate) fn last_state(&self, batch: u32) -> u64 {
        (0..u64::from(self.count) * u64::from(batch)).fold(self.seed, |x, _| next(x, self.step))
    }

    /// The offsets of the last operation, in order.
    pub(crate) fn last_offsets(&self, batch: u32) -> Vec<u64> {
        let before = Work { count: self.count - 1, ..*self };
        let mut x = before.last_state(batch);
        (0..batch)
            .map(|_| {
                x = next(x, self.step);
                x & self.mask
            })
            .collect()
    }
}

/// Makes the next state from one: xorshift, which `loops.rs` writes in a few instructions of wasm, or
/// a step for a sequence.
#[inline(always)]
pub(crate) fn next(mut x: u64, step: u64) -> u64 {
    if step == 0 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    } else {
        x.wrapping_add(step)
    }
}

/// Does `operation` at each offset of `work`, and returns the generator's last state.
#[inline(always)]
pub(crate) fn each(work: Work, mut operation: impl FnMut(u64)) -> u64 {
    // The guests get these when they run, so the native loops shall not know them before either.
    let work = black_box(work);
    let mut x = work.seed;
    for _ in 0..work.count {
        x = next(x, work.step);
        operation(x & work.mask);
    }
    x
}

/// The `index`th of a sequence of numbers that look random: seeds, and what is written. None is 0.
pub(crate) fn scrambled(index: u64) -> u64 {
    fastrand::Rng::with_seed(index).u64(..) | 1
}

/// What the file holds at first in a range, whose ends are multiples of 8: each word tells where
/// it stands.
pub(crate) fn content(offset: u64, length: usize) -> Vec<u8> {
    (offset / 8..).take(length / 8).flat_map(|word| scrambled(word).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offsets_are_those_that_a_loop_ends_with() {
        let work = Work { count: 3, size: 8, mask: HOT_BYTES - 8, step: 0, seed: 5 };
        let mut made = Vec::new();
        each(Work { count: 6, ..work }, |offset| made.push(offset));
        assert_eq!(work.last_offsets(2), made[4..]);
    }

    #[test]
    fn content_tells_where_it_stands() {
        assert_eq!(content(64, 16), [content(64, 8), content(72, 8)].concat());
        assert_ne!(content(64, 8), content(72, 8));
    }
}
