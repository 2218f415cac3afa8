//! Locks on ranges of a mapping's file: those of open file descriptions, where the system has them.
//!
//! | file | what is in it |
//! |---|---|
//! | `ranges` | what one mapping holds |
//! | `table` | who in this process holds what and who waits for what: wakes, turns |
//! | `table/search` | who waits for whom: deadlocks, and who goes first |
//! | `signal` | how who waits is woken |
//! | `asking` | asking for a lock, step by step |
//! | `native` | the same for a native program's threads |
//!
//! Nothing waits in the kernel. Who waits tries again: when somebody of this process has given
//! something back, and after a pause, since other processes don't tell.

mod asking;
mod native;
mod ranges;
mod signal;
mod table;

pub(super) use asking::Kept as KeptWait;
pub(crate) use asking::{Asking, Outcome, Step};
pub use ranges::LockMode;
pub(super) use signal::Signal;
pub(crate) use table::Owner;

use super::mapped::Mapped;
use super::platform;
use super::process;
use super::range::Range;
use crate::error::{Error, ErrorKind};
use crate::usage::{Reservation, Resource};
use ranges::Wish;
use std::fs::File;
use std::ops;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use table::{FileId, table};

/// Behind all that a file may have: where a range ends that has no end.
pub(super) const END: u64 = 1 << 63;

/// What a mapping that was asked for locks holds. When it is dropped, the kernel's locks go first, and
/// then others are told.
#[derive(Debug)]
pub(super) struct Locks {
    /// An open file description that nobody else has: the kernel takes locks of one for one owner's.
    file: File,
    seat: Seat,
    /// As many as there are ranges held.
    ranges: Reservation,
}

/// A mapping's place in the table.
#[derive(Clone, Copy, Debug)]
struct Place {
    file: FileId,
    mapping: u64,
    process: Asked,
}

/// The process that asked: the number that it has of ours, and the system's. A child of a raw `clone` has
/// its parent's of the first, and one in a namespace of its own may have its parent's of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked(u32, u32);

impl Asked {
    fn here() -> Asked {
        Asked(process::number(), std::process::id())
    }
}

impl Place {
    /// Is this the process that asked for the locks? A child that it forked has copies of all that it
    /// had, but the locks are the parent's, and so is whoever has the table's mutex.
    fn is_ours(&self) -> bool {
        self.process == Asked::here()
    }
}

#[derive(Debug)]
struct Seat(Place);

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.0.is_ours() {
            return;
        }
        let woken = table().let_go(self.0.file, self.0.mapping);
        woken.wake();
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        // To close the file is not enough while a process that this one is about to start still has
        // a copy of its descriptor. By the copy of a child the locks would be the parent's.
        if self.seat.0.is_ours() {
            let _ = platform::set_lock(&self.file, &(0..END), None);
        }
    }
}

impl Locks {
    fn open(mapped: &Mapped) -> Result<Locks, Error> {
        let usage = mapped.usage();
        let file = own_file(mapped)?;
        let metadata = file.metadata()?;
        let file_id = (metadata.dev(), metadata.ino());
        let place = Place { file: file_id, mapping: table::number(), process: Asked::here() };
        Ok(Locks { file, seat: Seat(place), ranges: Reservation::new(usage, Resource::Locks, 0)? })
    }

    /// Has the kernel hold a range so, or give it back, if it does so at once.
    fn set(
        &mut self,
        range: &ops::Range<u64>,
        mode: Option<LockMode>,
        owner: Option<Owner>,
    ) -> Result<bool, Error> {
        let Place { file, mapping, .. } = self.seat.0;
        // Nobody but this mapping changes what it holds.
        let (change, after) = table().plan(file, mapping, range, mode);
        let before = self.ranges.amount();
        if let Some(more) = after.checked_sub(before) {
            self.ranges.grow(more)?;
        }
        let done = platform::set_lock(&self.file, range, mode);
        if !matches!(done, Ok(true)) {
            self.ranges.shrink_to(before);
            return Ok(done?);
        }
        self.ranges.shrink_to(after);
        let woken = table().hold(file, mapping, owner, range, change);
        woken.wake();
        Ok(true)
    }
}

/// A mapping's file, with an open file description that nobody else has.
fn own_file(mapped: &Mapped) -> Result<File, Error> {
    let open = mapped.opened()?;
    if mapped.usage().limits().locks == 0 {
        return Err(Error::because(ErrorKind::Enotsup, "locks is 0: there are none"));
    }
    let Some(file) = open.lockable.as_ref().or(open.file.as_ref()) else {
        let reason = "the mapping has not kept its file";
        return Err(Error::because(ErrorKind::Enotsup, reason));
    };
    reopen(file, open.file.is_some())
}

/// The same file with an open file description of its own.
fn reopen(file: &Arc<File>, writable: bool) -> Result<File, Error> {
    let refused = |error: Error| match error.kind() {
        ErrorKind::Emfile | ErrorKind::Enomem => error,
        _ => {
            let reason = format!("the file can't be opened once more, for its locks: {error}");
            Error::because(ErrorKind::Enotsup, reason)
        }
    };
    let again = platform::reopen(file, writable).map_err(refused)?;
    let number = |file: &File| file.metadata().map(|file| (file.dev(), file.ino()));
    if number(file)? != number(&again)? {
        return Err(Error::because(ErrorKind::Enotsup, "another file was opened for its locks"));
    }
    Ok(again)
}

impl Mapped {
    /// A lock that may be asked for, or why not.
    fn wish(&self, range: Range, mode: LockMode) -> Result<Wish, Error> {
        let open = self.opened()?;
        let allowed = match mode {
            LockMode::Shared => self.access.reads(),
            // It has the file where what it writes goes there.
            LockMode::Exclusive => open.file.is_some(),
        };
        if !allowed {
            return Err(Error::because(ErrorKind::Eacces, "the mapping does not allow as much"));
        }
        Ok(Wish { range: checked(range)?, mode })
    }

    /// Its locks, from the first time on that they are asked for.
    fn locks(&mut self) -> Result<&mut Locks, Error> {
        if self.opened()?.locks.is_none() {
            let locks = Box::new(Locks::open(self)?);
            self.open.as_mut().ok_or(ErrorKind::Closed)?.locks = Some(locks);
        }
        let open = self.open.as_mut().ok_or(ErrorKind::Closed)?;
        Ok(open.locks.as_mut().ok_or(ErrorKind::Closed)?)
    }

    /// Does nobody but this kernel have to be asked about its locks?
    #[cfg(feature = "async")]
    pub(crate) fn has_own_locks(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.own_locks)
    }

    /// Gives back what is held of a range.
    pub(crate) fn unlock(&mut self, range: Range) -> Result<(), Error> {
        let open = self.open.as_mut().ok_or(ErrorKind::Closed)?;
        let range = checked(range)?;
        open.kept_wait = None;
        // Who never asked for one holds none.
        let Some(locks) = &mut open.locks else { return Ok(()) };
        locks.set(&range, None, None).map(drop)
    }

    /// Could this lock be had now? Whoever only asks so keeps no descriptor for it.
    pub(crate) fn would_lock(&self, range: Range, mode: LockMode) -> Result<bool, Error> {
        let wish = self.wish(range, mode)?;
        Ok(match &self.opened()?.locks {
            Some(locks) => platform::would_lock(&locks.file, &wish.range, mode)?,
            None => platform::would_lock(&own_file(self)?, &wish.range, mode)?,
        })
    }
}

fn checked(Range { offset, length }: Range) -> Result<ops::Range<u64>, Error> {
    let end = if length == 0 { Some(END) } else { offset.checked_add(length) };
    match end.filter(|end| offset < END && (*end < END || length == 0)) {
        Some(end) => Ok(offset..end),
        None => Err(Error::because(ErrorKind::Badarg, "no file has bytes there")),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::mapping::Mapping;
    use std::time::Duration;

    #[test]
    fn a_child_of_a_raw_clone_leaves_its_parents_locks() {
        iommap_child::in_child(|| {
            let file = tempfile::NamedTempFile::new().unwrap();
            let map = || Mapping::options().read(true).write(true).open(file.path()).unwrap();
            let whole = Range { offset: 0, length: 0 };
            let (holder, other) = (map(), map());
            assert!(holder.lock(whole, LockMode::Exclusive, Some(Duration::ZERO)).unwrap());
            // SAFETY: as `fork`, but for those who asked to be told of one. This process has no thread that
            // holds anything.
            let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
            if child == 0 {
                drop(holder);
                // SAFETY: it ends the child.
                unsafe { libc::_exit(7) };
            }
            let mut status = 0;
            // SAFETY: a child of this process, and a number to write to.
            unsafe { libc::waitpid(child as libc::pid_t, &mut status, 0) };
            assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:x}");
            assert!(!other.would_lock(whole, LockMode::Shared).unwrap());
            drop(holder);
            assert!(other.would_lock(whole, LockMode::Shared).unwrap());
        })
        .assert_done();
    }
}
