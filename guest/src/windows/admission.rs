//! Which chunk of a file is read so often that a window is worth it.

/// How many chunks are counted at a time.
const COUNTED: usize = 32;

/// So much reading earns a window, which costs as much as some thirty small reads.
const ENOUGH: u32 = 64;

/// A read of so many bytes counts one more than a small one: from half a MiB on, a window is
/// cheaper at once.
const BYTES: u64 = 8 << 10;

/// Counts reads of chunks that have no window.
///
/// The counts are few, and the file may have any number of chunks. So a read of one that isn't
/// counted takes one from the least count there is, and its place once that is 0: what is read
/// often stays, and what is read here and there never gets far.
pub(super) struct Admission {
    counts: [Count; COUNTED],
}

#[derive(Clone, Copy)]
struct Count {
    chunk: u64,
    count: u32,
}

impl Admission {
    pub(super) fn new() -> Admission {
        Admission { counts: [Count { chunk: 0, count: 0 }; COUNTED] }
    }

    /// Counts a read of so many bytes of a chunk, and says if it has earned a window.
    pub(super) fn earned(&mut self, chunk: u64, length: u64) -> bool {
        let weight = (1 + length / BYTES).min(ENOUGH.into()) as u32;
        let mut least = 0;
        for index in 0..COUNTED {
            let counted = &mut self.counts[index];
            if counted.chunk == chunk && counted.count > 0 {
                counted.count += weight;
                let earned = counted.count >= ENOUGH;
                if earned {
                    counted.count = 0;
                }
                return earned;
            }
            if counted.count < self.counts[least].count {
                least = index;
            }
        }
        let least = &mut self.counts[least];
        match least.count.checked_sub(weight) {
            Some(count) if count > 0 => least.count = count,
            _ => *least = Count { chunk, count: weight },
        }
        weight >= ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many windows are earned by reads of 64 bytes of these chunks.
    fn earned(chunks: impl Iterator<Item = u64>) -> usize {
        let mut admission = Admission::new();
        chunks.filter(|&chunk| admission.earned(chunk, 64)).count()
    }

    #[test]
    fn what_is_read_often_earns_a_window_and_the_rest_does_not() {
        assert_eq!(earned((0..63).map(|_| 7)), 0);
        assert_eq!(earned((0..64).map(|_| 7)), 1);
        // Sixteen chunks in turns; and a file that is read here and there.
        assert_eq!(earned((0..16 * 64).map(|n| n % 16)), 16);
        let mut random = fastrand::Rng::with_seed(1);
        assert_eq!(earned((0..100_000).map(|_| random.u64(..1 << 18))), 0);
    }

    #[test]
    fn a_hot_chunk_is_found_among_many_cold_ones() {
        let mut random = fastrand::Rng::with_seed(2);
        let mut admission = Admission::new();
        let mut hot = 0;
        for _ in 0..20_000 {
            let chunk = if random.bool() { 1 << 40 } else { random.u64(..1 << 18) };
            let earned = admission.earned(chunk, 8);
            assert!(!earned || chunk == 1 << 40);
            hot += usize::from(earned);
        }
        assert!(hot > 100, "{hot}");
    }

    #[test]
    fn a_large_read_earns_it_at_once() {
        let mut admission = Admission::new();
        assert!(!admission.earned(1, 256 << 10));
        assert!(admission.earned(1, 256 << 10));
        assert!(admission.earned(2, 512 << 10));
        assert!(admission.earned(3, u64::MAX));
    }
}
