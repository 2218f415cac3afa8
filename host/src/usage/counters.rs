//! What a store uses and has done.

/// What a store uses and has done so far, read at one moment. See [`Usage::counters`](super::Usage::counters).
///
/// ```
/// let usage = iommap::Usage::new(Default::default());
/// assert_eq!(usage.counters(), iommap::Counters::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Mappings open now.
    pub mappings: u64,
    /// Handles that guests hold now, of closed mappings too.
    pub handles: u64,
    /// Bytes mapped now.
    pub mapped_bytes: u64,
    /// Bytes locked in memory now.
    pub locked_bytes: u64,
    /// Bytes of pages written in private mappings now.
    pub private_bytes: u64,
    /// Windows now.
    pub windows: u64,
    /// Bytes in windows now.
    pub window_bytes: u64,
    /// Ranges of files locked now.
    pub locks: u64,
    /// Waits for changes of files now.
    pub watches: u64,
    /// Who waits on words now.
    pub waiters: u64,
    /// The most mappings that were open at once.
    pub peak_mappings: u64,
    /// The most handles that guests held at once.
    pub peak_handles: u64,
    /// The most bytes that were mapped at once.
    pub peak_mapped_bytes: u64,
    /// The most bytes that were locked in memory at once.
    pub peak_locked_bytes: u64,
    /// The most bytes of pages that were written in private mappings at once.
    pub peak_private_bytes: u64,
    /// The most windows at once.
    pub peak_windows: u64,
    /// The most bytes in windows at once.
    pub peak_window_bytes: u64,
    /// The most ranges of files that were locked at once.
    pub peak_locks: u64,
    /// The most waits for changes of files at once.
    pub peak_watches: u64,
    /// The most who waited on words at once.
    pub peak_waiters: u64,
    /// Mappings opened so far.
    pub opened: u64,
    /// Calls so far that read through mappings.
    pub reads: u64,
    /// Bytes read through mappings so far.
    pub bytes_read: u64,
    /// Calls so far that wrote through mappings.
    pub writes: u64,
    /// Bytes written through mappings so far.
    pub bytes_written: u64,
    /// Reads and writes so far that met a page without a file behind it, and lived.
    pub faults_recovered: u64,
    /// Lost pages in windows so far that became zeros. Of a window that is there they are counted
    /// when its guest asks for them or moves it, and else when it ends.
    pub window_faults: u64,
    /// Locks taken so far.
    pub locks_taken: u64,
    /// How often somebody had to wait for a lock so far, be it in vain.
    pub lock_waits: u64,
    /// How often that would have been for ever, so far, since stores waited for each other.
    pub lock_deadlocks: u64,
    /// How often somebody began to wait on a word so far, each stretch of a wait by itself.
    pub word_waits: u64,
    /// Calls of a guest that were refused so far, for whatever reason: see
    /// [`Usage::refused`](super::Usage::refused).
    pub refused: u64,
}
