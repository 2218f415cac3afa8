//! What an input brought about, for a fuzzer that can't see the code it covers.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Things that were seen, such as "this error after that one".
#[derive(Debug, Default)]
pub struct Seen {
    all: HashSet<u64>,
    new: bool,
}

impl Seen {
    /// Takes down that something was seen.
    pub fn note(&mut self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        self.new |= self.all.insert(hasher.finish());
    }

    /// Has anything been seen for the first time since this was asked last?
    pub fn anything_new(&mut self) -> bool {
        std::mem::take(&mut self.new)
    }

    /// How many different things were seen.
    pub fn count(&self) -> usize {
        self.all.len()
    }
}
