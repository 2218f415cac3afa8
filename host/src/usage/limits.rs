//! What one store may use.

use super::BudgetLimits;
use super::pool::Pool;

/// What one store may use. The defaults suit a plugin that maps a few large files.
///
/// ```
/// let mut limits = iommap::Limits::default();
/// assert_eq!(limits.call_bytes, 64 << 20);
/// limits.mappings = 4;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Mappings open at once: 64.
    pub mappings: u64,
    /// Handles of mappings and windows that a guest holds at once, closed ones too: 4,096. Each
    /// takes some hundred bytes of the host's memory until the guest drops it.
    pub handles: u64,
    /// Bytes mapped at once, all mappings together: 64 GiB. They are address space and page cache.
    pub mapped_bytes: u64,
    /// The length, in bytes, to which a file may be created or grown: 64 GiB.
    pub file_bytes: u64,
    /// Bytes that one call may move: 64 MiB. A list has one range for each 4,096 of them at most,
    /// and one more.
    pub call_bytes: u64,
    /// Bytes locked in memory at once: 0, so that `lock` is refused with `eacces`.
    pub locked_bytes: u64,
    /// Bytes of the pages that a guest has written in `private` mappings: 64 MiB. They are memory
    /// of the host's that can't be evicted.
    pub private_bytes: u64,
    /// Windows at once: 0, so that there are none. With more, a mapping keeps its file open, for
    /// the windows that it may be asked for.
    pub windows: u64,
    /// Bytes in windows at once, in whole pages: 0, so that there are none.
    pub window_bytes: u64,
    /// Ranges of files locked at once: 0, so that there are none. With more, a mapping keeps its file
    /// open, and has it open twice once it has asked for a lock. A lock keeps out whoever else
    /// asks for one, other programs too.
    pub locks: u64,
    /// Waits for changes of files at once: 0, so that a guest may not ask what has become of a
    /// file. With more, a mapping keeps its file open, and may be asked. How long the file is it
    /// tells whenever it keeps its file.
    pub watches: u64,
    /// Who may wait on words at once: 0, so that nobody may. A store waits for one thing at a time, and
    /// takes a thread of the host's meanwhile.
    pub waiters: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            mappings: 64,
            handles: 4096,
            mapped_bytes: 64 << 30,
            file_bytes: 64 << 30,
            call_bytes: 64 << 20,
            locked_bytes: 0,
            private_bytes: 64 << 20,
            windows: 0,
            window_bytes: 0,
            locks: 0,
            watches: 0,
            waiters: 0,
        }
    }
}

impl Limits {
    /// No limits, for a program that trusts itself. It has no windows: those are for guests.
    pub(crate) fn unlimited() -> Limits {
        Limits {
            mappings: u64::MAX,
            handles: u64::MAX,
            mapped_bytes: u64::MAX,
            file_bytes: u64::MAX,
            call_bytes: u64::MAX,
            locked_bytes: u64::MAX,
            private_bytes: u64::MAX,
            windows: 0,
            window_bytes: 0,
            locks: u64::MAX,
            watches: 0,
            waiters: u64::MAX,
        }
    }

    pub(super) fn pool(&self) -> Pool {
        let Limits { mappings, handles, mapped_bytes, locked_bytes, private_bytes, .. } = *self;
        let Limits { windows, window_bytes, locks, watches, waiters, .. } = *self;
        BudgetLimits {
            mappings,
            handles,
            mapped_bytes,
            locked_bytes,
            private_bytes,
            windows,
            window_bytes,
            locks,
            watches,
            waiters,
            ..BudgetLimits::unlimited()
        }
        .pool()
    }
}
