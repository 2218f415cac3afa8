//! What every byte of a file under stress must be: nothing else than its place and its generation say.
//!
//! Each byte describes itself, so that a reader can tell right from wrong whatever happened
//! around it, half a write by somebody else included. Zero is what a hole reads as, and no
//! generation's byte.
//!
//! The guest `hammer` writes and checks them, and so do the processes around it in `stress/`.

/// Generations go from 0 to this, less one. 0 is what whoever regrows the file writes; the
/// others belong to the store that owns the page.
pub const GENERATIONS: u32 = 4;

/// The eight bytes at `8 * index`, in the order in which they are in the file.
pub fn word(index: u64, generation: u32) -> [u8; 8] {
    let mut mixed = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(generation) << 61);
    mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 32;
    (mixed | 0x0101_0101_0101_0101).to_le_bytes()
}

/// Fills `target`, which starts at `offset` of the file.
pub fn fill(target: &mut [u8], offset: u64, generation: u32) {
    for (at, byte) in (offset..).zip(target) {
        *byte = word(at / 8, generation)[(at % 8) as usize];
    }
}

/// The place of the first byte that is none of the `allowed` generations (a bit each), nor zero,
/// and how many there are.
pub fn wrong(found: &[u8], offset: u64, allowed: u32) -> Option<(u64, u64)> {
    let mut first = None;
    let mut count = 0;
    let mut at = 0;
    while at < found.len() {
        let place = offset + at as u64;
        let (index, within) = (place / 8, (place % 8) as usize);
        let piece = &found[at..found.len().min(at + 8 - within)];
        let all_zero = piece.iter().all(|byte| *byte == 0);
        let is = |generation: u32| {
            allowed >> generation & 1 == 1
                && word(index, generation)[within..][..piece.len()] == *piece
        };
        if !all_zero && !(0..GENERATIONS).any(is) {
            for (n, byte) in piece.iter().enumerate() {
                let is = |generation: u32| {
                    allowed >> generation & 1 == 1 && word(index, generation)[within + n] == *byte
                };
                if *byte != 0 && !(0..GENERATIONS).any(is) {
                    first = first.or(Some(place + n as u64));
                    count += 1;
                }
            }
        }
        at += piece.len();
    }
    first.map(|first| (first, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wrong_byte_of_a_mixture_is_found() {
        let mut bytes = vec![0; 5000];
        fill(&mut bytes, 4091, 1);
        fill(&mut bytes[100..203], 4191, 0);
        bytes[300..317].fill(0);
        assert_eq!(wrong(&bytes, 4091, 0b11), None);
        assert!(wrong(&bytes, 4091, 0b10).is_some_and(|(first, _)| (4191..4294).contains(&first)));
        assert!(wrong(&bytes, 4090, 0b11).is_some_and(|(_, count)| count > 2000));
        bytes[777] ^= 0x40;
        assert_eq!(wrong(&bytes, 4091, 0b11), Some((4091 + 777, 1)));
    }

    #[test]
    fn no_byte_is_zero_and_generations_differ() {
        for generation in 0..GENERATIONS {
            assert!((0..1000).all(|index| word(index, generation).iter().all(|byte| *byte != 0)));
            assert_ne!(word(7, generation), word(7, (generation + 1) % GENERATIONS));
            assert_ne!(word(7, generation), word(8, generation));
        }
    }
}
