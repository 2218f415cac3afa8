//! The exit codes that are this program's own. All others are the component's.

/// Nothing was run. It is what other programs end with too if they are not used as they should.
pub(crate) const SETUP_FAILED: u8 = 2;

/// As of timeout(1).
pub(crate) const TIMED_OUT: u8 = 124;

/// As of wasmtime: 128 + SIGABRT.
pub(crate) const TRAPPED: u8 = 134;

/// What a shell makes of a native program that read a lost page: 128 + SIGBUS, as Linux counts.
pub(crate) const PAGES_LOST: u8 = 135;

/// What a shell makes of a program that SIGPIPE ended.
pub(crate) const READER_GONE: u8 = 141;

/// What a shell makes of a program that a signal ended: 130 for SIGINT, 143 for SIGTERM.
pub(crate) const fn by_signal(number: u8) -> u8 {
    128 + number
}
