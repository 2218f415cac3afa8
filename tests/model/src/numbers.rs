//! Numbers worth trying, from two bytes: around pages, and now and then far outside everything.

use crate::page;

/// An offset or a size. Smaller words are smaller numbers, mostly.
pub(crate) fn number(word: u16) -> u64 {
    let [low, high] = word.to_le_bytes().map(u64::from);
    let near = match low {
        0..=127 => low,
        128..=191 => page() / 2 + low,
        _ => page() - (low - 191),
    };
    match high {
        0..=245 => high % 10 * page() + near,
        246..=247 => u64::MAX - low,
        248..=249 => u64::MAX / 2 - 128 + low,
        250..=251 => u64::from(u32::MAX) - 128 + low,
        252..=253 => (1 << 62) + low,
        _ => (0u64.wrapping_sub(page())).wrapping_add(low),
    }
}

/// An offset, mostly one that lies in the file.
pub(crate) fn offset(word: u16) -> u64 {
    let number = number(word);
    if number < 10 * page() { number % (6 * page()) } else { number }
}

/// A length that a file can be given on any machine.
pub(crate) fn sane(word: u16) -> u64 {
    number(word) % (11 * page())
}

/// A length that fits into memory: mostly short, at most twelve pages.
pub(crate) fn length(word: u16) -> u64 {
    let rest = u64::from(word & 0x3fff);
    match word >> 14 {
        0 => rest % 64,
        1 => rest % page(),
        2 => rest % (3 * page()),
        _ => rest % 13 * page(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_length_that_fits_into_memory() {
        for word in 0..=u16::MAX {
            assert!(sane(word) < 11 * page(), "{word}");
            assert!(length(word) <= 12 * page(), "{word}");
        }
    }

    #[test]
    fn small_words_are_themselves() {
        for word in 0..64 {
            assert_eq!(number(word), u64::from(word));
            assert_eq!(length(word), u64::from(word));
        }
        assert_eq!(number(0xf6_00), u64::MAX);
        assert_eq!(number(0x01_c0), 2 * page() - 1);
    }
}
