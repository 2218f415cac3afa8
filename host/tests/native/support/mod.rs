//! What the native tests share: a granted directory, ways to look at the process, and ways to do
//! in a child process what may crash or change all of it.

#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod process;
mod user;
mod world;

#[cfg(target_os = "linux")]
pub(crate) use disk::{mend_disk, on_ext4, on_failing_disk, on_mount, on_small_disk};
pub(crate) use iommap::ErrorKind::{self, *};
pub(crate) use iommap_child::{this_program, this_test};
#[cfg(target_os = "linux")]
pub(crate) use process::{
    Waiting, descriptors, hinted, mapped_ranges, smaps, status, with_rlimit, without_openat2,
};
pub(crate) use user::{as_nobody, set_mode};
pub(crate) use world::World;

use iommap::{AccessMode, Limits, Mapping, OpenOptions};
use std::sync::mpsc;
use std::time::Duration;

/// Far more than anything here takes: reached only by what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const READ: OpenOptions = OpenOptions::new().access(AccessMode::Read);
pub(crate) const WRITE: OpenOptions = OpenOptions::new().access(AccessMode::Write);
pub(crate) const READ_WRITE: OpenOptions = OpenOptions::new().access(AccessMode::ReadWrite);
pub(crate) const CREATE: OpenOptions = READ_WRITE.create(true);
pub(crate) const TRUNCATE: OpenOptions = READ_WRITE.truncate(true);
pub(crate) const PRIVATE: OpenOptions = READ_WRITE.private(true);

/// Do the options ask to read? They tell nobody, but one that is set already changes nothing.
pub(crate) fn reads(options: &OpenOptions) -> bool {
    *options == options.read(true)
}

/// Do the options ask to write?
pub(crate) fn writes(options: &OpenOptions) -> bool {
    *options == options.write(true)
}

/// Options with a size, if there is one.
pub(crate) fn sized(options: OpenOptions, size: Option<u64>) -> OpenOptions {
    size.map_or(options, |size| options.size(size))
}

/// The default limits with some of them changed.
pub(crate) fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// Runs the body of a test, which must be written out in it, in a process of its own.
#[track_caller]
pub(crate) fn in_child<Body: FnOnce()>(body: Body) {
    iommap_child::in_child(body).assert_done();
}

pub(crate) fn page() -> u64 {
    rustix::param::page_size() as u64
}

/// Bytes that are never zero and differ from page to page and from place to place.
pub(crate) fn pattern(length: u64) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251 + 1) as u8 ^ (at / page()) as u8)
        .map(|byte| byte.max(1))
        .collect()
}

/// All of a mapping's bytes.
#[track_caller]
pub(crate) fn all(mapping: &Mapping) -> Vec<u8> {
    bytes(mapping, 0, mapping.len().unwrap())
}

#[track_caller]
pub(crate) fn bytes(mapping: &Mapping, offset: u64, length: u64) -> Vec<u8> {
    let mut target = vec![0xee; length as usize];
    mapping.pread(offset, &mut target).unwrap();
    target
}

/// As `assert_eq!`, but says of long bytes only where they differ.
macro_rules! assert_same {
    ($found:expr, $expected:expr $(, $($what:tt)+)?) => {
        assert_eq!(
            $crate::support::difference(($found).as_ref(), ($expected).as_ref()),
            None
            $(, $($what)+)?
        )
    };
}
pub(crate) use assert_same;

/// Where two byte strings differ first, or in what lengths.
pub(crate) fn difference(found: &[u8], expected: &[u8]) -> Option<String> {
    if let Some(at) = found.iter().zip(expected).position(|(found, expected)| found != expected) {
        return Some(format!("at {at}: {} instead of {}", found[at], expected[at]));
    }
    let lengths = (found.len(), expected.len());
    (lengths.0 != lengths.1).then(|| format!("{} bytes instead of {}", lengths.0, lengths.1))
}

/// Runs what might wait for ever on a thread of its own, for a bounded time.
#[track_caller]
pub(crate) fn bounded<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    let worker = std::thread::spawn(move || done.send(work()));
    match result.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worker.join().unwrap_err())
        }
    }
}
