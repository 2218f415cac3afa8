//! How a map is going to be used.

/// How a map is going to be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// In no particular way.
    Normal,
    /// Here and there: do not read ahead.
    Random,
    /// From front to back: read ahead.
    Sequential,
    /// Soon: read it in.
    WillNeed,
    /// Read it in now.
    PopulateRead,
    /// Does nothing here.
    PopulateWrite,
    /// Does nothing here.
    HugePage,
    /// Does nothing here.
    NoHugePage,
}

/// Hints that may lose what was stored. They do nothing here, which each of them allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
#[non_exhaustive]
pub enum UncheckedAdvice {
    /// Not for now.
    DontNeed,
    /// Not at all.
    Free,
    /// Not in the file either.
    Remove,
}

impl Advice {
    /// Does the host heed it?
    pub fn is_supported(self) -> bool {
        use Advice::*;
        matches!(self, Normal | Random | Sequential | WillNeed | PopulateRead)
    }
}

impl UncheckedAdvice {
    /// Does the host heed it?
    pub fn is_supported(self) -> bool {
        false
    }
}
