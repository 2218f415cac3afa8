//! Waiting on a word of a shared map: `futex(2)`, by which a word is known by its file.

use rustix::io::Errno;
use std::ffi::{c_int, c_long};
use std::ptr;
use std::time::Duration;

/// Can anybody wait on a word of a shared map?
pub(crate) const HAS_FUTEXES: bool = true;

/// The longest that a wait may be: the kernel takes no more seconds than it can count. Who is given more
/// waits a century.
const LONGEST: u64 = 100 * 366 * 24 * 60 * 60;

/// Waits for as long as the word is `expected`, until it is woken; an error says what else ended it.
pub(crate) fn wait_on(word: *mut u32, expected: u32, time: Option<Duration>) -> Result<(), Errno> {
    // As the call has it, a number each for seconds and for what is left of one.
    let time = time.map(|time| {
        let seconds = time.as_secs().min(LONGEST);
        [c_long::try_from(seconds).unwrap_or(c_long::MAX), c_long::from(time.subsec_nanos() as i32)]
    });
    let time = time.as_ref().map_or(ptr::null(), |time| time.as_ptr());
    // SAFETY: the kernel reads the word, wherever it is, and says so if it isn't there; and a time that
    // lives as long as the call.
    let done = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, expected, time) };
    if done == -1 { Err(last()) } else { Ok(()) }
}

/// Wakes up to `count` of those who wait on the word; says how many.
pub(crate) fn wake(word: *mut u32, count: u32) -> Result<u32, Errno> {
    // For none the kernel wakes one, and a number below that is too many for it.
    let Ok(count @ 1..) = c_int::try_from(count.min(c_int::MAX as u32)) else { return Ok(0) };
    // SAFETY: the kernel finds out by the address which word it is, and leaves it as it is.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, count) };
    u32::try_from(woken).map_err(|_| last())
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
