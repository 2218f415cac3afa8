//! Windows: pages of a mapping's file, put where somebody else's memory is.
//!
//! Here is how they get there and go again. Whose memory it is, and what becomes of a page that is
//! lost there, is for whoever puts them: see `component/windows`.

use super::Mapping;
use super::mapped::Mapped;
use super::memory::MemoryFile;
use super::open::open_file;
use super::options::{FsPerms, OpenOptions};
use super::pages::{Protection, pieces};
use super::platform;
use super::range::Range;
use crate::error::{Error, ErrorKind};
use crate::usage::{Limits, Usage};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// What a window's address and its offset in the file are multiples of: wasm's page, and a multiple
/// of every system's.
pub(crate) const GRAIN: u64 = 1 << 16;

/// How much of a file is read at a time to have it in the page cache.
const READ_AT_ONCE: usize = 256 << 10;

/// A range of a mapping's file that may be put somewhere: checked, and independent of the mapping.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    file: Arc<File>,
    /// A region of shared memory counts until the last window on it has gone.
    _memory: Option<Arc<MemoryFile>>,
    offset: u64,
    length: usize,
    /// Whether what is stored there reaches the file.
    shared: bool,
}

impl Mapped {
    /// Whether a range of the mapping can be a window, whatever its file is. Returns how many bytes
    /// of address space that would take: whole pages.
    pub(crate) fn check_window(&self, range: Range, shared: bool) -> Result<usize, Error> {
        let open = self.opened()?;
        let stores = self.access.writes() && open.region.protection() == Protection::SharedWrite;
        if !self.access.reads() || (shared && !stores) {
            return Err(Error::because(ErrorKind::Eacces, "the mapping does not allow as much"));
        }
        open.region.check(range.offset, range.length)?;
        if range.length == 0 || !range.offset.is_multiple_of(GRAIN) {
            let reason = "a window has bytes, from a multiple of 65,536 on";
            return Err(Error::because(ErrorKind::Badarg, reason));
        }
        // In range: it lies inside a region.
        Ok((range.length as usize).next_multiple_of(rustix::param::page_size()))
    }

    /// A range that was [checked](Mapped::check_window), to be put somewhere; or why that can't be
    /// with this file.
    pub(crate) fn show(&self, range: Range, shared: bool) -> Result<Shown, Error> {
        let open = self.opened()?;
        let impossible = |reason| Err(Error::because(ErrorKind::Enotsup, reason));
        // What was written to a private mapping is nowhere but there.
        if open.region.protection() == Protection::PrivateWrite {
            return impossible("a private mapping that writes");
        }
        let Some(file) = open.kept.clone() else {
            return impossible("the mapping has not kept its file");
        };
        if platform::page_size_of(&file).is_some() {
            return impossible("the file has pages of its own size");
        }
        Ok(Shown {
            file,
            _memory: open.memory.clone(),
            offset: range.offset,
            length: range.length as usize,
            shared,
        })
    }
}

impl Shown {
    /// Can nobody change these bytes any more, nor take them away?
    pub(crate) fn is_frozen(&self) -> bool {
        platform::is_frozen(&self.file)
    }

    /// All of its bytes, as a range of the window.
    pub(crate) fn whole(&self) -> Range {
        Range { offset: 0, length: self.length as u64 }
    }

    /// How many bytes of address space it takes: whole pages.
    pub(crate) fn span(&self) -> usize {
        self.length.next_multiple_of(rustix::param::page_size())
    }

    /// Puts it to an address, in place of what is there, which stays after an error.
    ///
    /// # Safety
    ///
    /// `at` is the start of a page. [`span`](Shown::span) bytes from there on are memory that can be
    /// read and written, that is the caller's to lose, and to which nothing refers.
    pub(crate) unsafe fn put(&self, at: *mut u8) -> Result<(), Error> {
        let flags = match self.shared {
            true => MapFlags::SHARED,
            // Copies of what is stored there, so that it can be: whoever copies to a guest's memory,
            // wasmtime among them, takes it for granted.
            false => own_memory(),
        };
        let (access, anywhere) = (ProtFlags::READ | ProtFlags::WRITE, std::ptr::null_mut());
        // Elsewhere first. A file system may refuse any file at any time, and it is asked when the kernel
        // has already taken away what was there: that would be a hole in a guest's memory.
        // SAFETY: a new mapping, which nobody else knows, at a place that the kernel chooses.
        let new = unsafe { mmap(anywhere, self.span(), access, flags, &*self.file, self.offset) }?;
        // SAFETY: the one is new, and for the other there is the caller's word.
        let moved = unsafe { platform::move_over(new, self.span(), at.cast()) };
        if moved.is_err() {
            // SAFETY: nobody knows it, and it was not moved.
            let _ = unsafe { munmap(new, self.span()) };
            mend(at, self.span());
        }
        Ok(moved?)
    }

    /// Reads a range of it into the page cache, and waits for the device meanwhile. It touches no
    /// memory but its own.
    pub(crate) fn read_in(&self, range: Range) {
        let mut buffer = vec![0; READ_AT_ONCE.min(range.length as usize)];
        let mut at = self.offset + range.offset;
        let end = at + range.length;
        while at < end {
            let piece = buffer.len().min((end - at) as usize);
            match self.file.read_at(&mut buffer[..piece], at) {
                // Whatever it is, the load that follows meets it too.
                Ok(0) | Err(_) => return,
                Ok(read) => at += read as u64,
            }
        }
    }
}

/// Makes memory of a window again, with zeros in it. After an error the window is as it was.
///
/// # Safety
///
/// As for [`Shown::put`].
pub(crate) unsafe fn clear(at: *mut u8, length: usize) -> Result<(), Error> {
    // As wasmtime maps a memory, so that the kernel can join it with what is beside it.
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, own_memory() | MapFlags::FIXED);
    // SAFETY: the caller's word.
    let cleared = unsafe { mmap_anonymous(at.cast(), length, access, flags) };
    if cleared.is_err() {
        mend(at, length);
    }
    Ok(cleared.map(drop)?)
}

/// Has pages of a window come in, so that loads from them are no faults; or asks for them, if it is
/// not to wait. A page that is lost stays so.
///
/// # Safety
///
/// `at` is the start of a page, and the range is mapped.
pub(crate) unsafe fn populate(at: *mut u8, length: usize, waits: bool) {
    for (address, length) in pieces(at.cast(), length) {
        if !waits {
            // SAFETY: as below.
            let _ = unsafe { madvise(address, length, Advice::WillNeed) };
            continue;
        }
        // SAFETY: the caller's word; no byte is changed.
        if unsafe { platform::prefault(address, length, false) }.is_err() {
            return;
        }
    }
}

fn own_memory() -> MapFlags {
    // A guest's memory is limited elsewhere: swap for all of a window is not needed.
    #[cfg(target_os = "linux")]
    return MapFlags::PRIVATE | MapFlags::NORESERVE;
    #[cfg(not(target_os = "linux"))]
    return MapFlags::PRIVATE;
}

/// After a failure to put something to an address: has what was there gone?
///
/// Nearly all that can fail does before anything is taken away. What is asked afterwards:
///
/// - Whether so much memory may be promised, by `mremap` on any kernel and by `mmap` on those before 6.12.
///   That is asked of memory that is counted, and none here is: not what is shared with a file, and what is
///   private only where the machine is told never to promise more than it has (`vm.overcommit_memory` = 2,
///   where NORESERVE means nothing). There as much has just been given back: it is refused only if others
///   take that in the same moment.
/// - Memory for the kernel's own lists. So little of it is never refused but to who is being killed, or by
///   a limit on a group of processes of which none can be killed.
///
/// Either would leave a hole in a guest's memory, so it is filled at once, with zeros. In between another
/// thread's mapping may come to lie there: nothing puts one mapping in another's place without such a moment,
/// since both calls take away first. On a machine that counts, windows are better not granted.
#[cold]
fn mend(at: *mut u8, length: usize) {
    #[cfg(target_os = "linux")]
    {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::FIXED_NOREPLACE);
        // SAFETY: it maps only where nothing is.
        let mended = unsafe { mmap_anonymous(at.cast(), length, access, own_memory() | flags) };
        // A kernel before 4.17 takes the address for a wish. An error says that something is there,
        // or that nothing can be mapped any more, and then nothing was taken away either.
        if let Ok(elsewhere) = mended
            && elsewhere != at.cast()
        {
            // SAFETY: mapped just now, and nobody knows it.
            let _ = unsafe { munmap(elsewhere, length) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (at, length);
}

impl Mapping {
    /// A copy of a file in memory that nobody can change any more, neither its bytes nor its length:
    /// a sealed memory file. It is read once, as it is at that moment. [Shared](crate::Grants::share)
    /// with guests, it is one copy for all of them, and the only kind of file, beside those with
    /// fs-verity, that they may have windows on without an `unsafe` word of their embedder's.
    ///
    /// It takes as much memory as the file has bytes, until the last mapping of it is closed.
    ///
    /// # Errors
    ///
    /// What reading the file says; [`ErrorKind::Enomem`], [`ErrorKind::Enospc`], where there is not
    /// as much memory; [`ErrorKind::Enotsup`] on other systems than Linux.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("index");
    /// # std::fs::write(&path, b"entries")?;
    /// use iommap::{FsPerms, Grants, Mapping};
    ///
    /// # if cfg!(target_os = "linux") {
    /// let index = Mapping::frozen_copy(&std::fs::File::open(&path)?)?;
    /// std::fs::write(&path, b"others!")?;
    /// let mut bytes = [0; 7];
    /// index.pread(0, &mut bytes)?;
    /// assert_eq!(&bytes, b"entries");
    ///
    /// let mut grants = Grants::default();
    /// grants.share("/shared/index", index, FsPerms::ReadOnly);
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn frozen_copy(file: &File) -> Result<Mapping, Error> {
        let copy = Arc::new(platform::frozen_copy(file)?);
        let usage = Usage::named(Limits::unlimited(), "this program");
        // Private, since kernels before 6.7 share no sealed file, not even for reading.
        let options = OpenOptions::new().read(true).private(true);
        let mut mapped =
            open_file(&copy, "a frozen copy", FsPerms::ReadOnly, &usage, &options, false)?;
        if let Some(open) = &mut mapped.open {
            open.kept = Some(copy);
            // Nobody changes it, so nobody needs to be kept out.
            open.lockable = None;
        }
        Ok(mapped.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
