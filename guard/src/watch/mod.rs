//! Windows: ranges of addresses where pages of a file stand, in memory that others read and write
//! by plain instructions.
//!
//! Nothing can be done there by moving the program counter: the instruction that met a lost page
//! may be a guest's compiled code, a `memcpy` on its behalf, or anything else that may touch its
//! memory. It has to succeed. So the handler puts zeros there, and whoever asks is told that it
//! did: [`Watch::lost`].
//!
//! # What the handler does, in this order
//!
//! 1. Is the program counter in [`copy`](crate::copy) or one of [`atomic`](crate::atomic)'s
//!    routines? Then that answers with a [`Fault`](crate::Fault), also where the page lies in a
//!    window.
//! 2. Does the address lie in a window? Then there are zeros from the lost page to the window's
//!    end, and the instruction goes on. To the end, because a file is cut at its end, so what
//!    follows is lost as well, and because zeros a page at a time would use up the ranges of
//!    addresses that the kernel gives a process (`vm.max_map_count`). Zeros to the end never split
//!    a range in its middle, so there is room for them even when all are used up.
//! 3. Otherwise the signal is the predecessor's.
//!
//! It allocates nothing, and finds the window by seven loads at most, however many there are. It waits
//! only for another thread that is doing the same: of threads that lose one page at once, the first
//! puts zeros there and the others go on, so that none of them wipes out what another has stored.
//!
//! # Whose address it is
//!
//! A window ends when its [`Watch`] is dropped. Memory that goes first, with the watch following
//! microseconds later, leaves a moment in which somebody else may have a mapping at the same
//! addresses and lose a page of it. So a watch remembers which file stood there, and the handler
//! asks the kernel what stands there now (`PROCMAP_QUERY`, since Linux 6.11: see [`exact`]): another
//! file is none of its business. A watch that is older than a new one on the same addresses is
//! thrown out by it.
//!
//! # Example
//!
//! ```
//! # use std::os::fd::AsRawFd;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use iommap_guard::watch::Watch;
//!
//! iommap_guard::install()?;
//! # const LEN: usize = 64 * 1024;
//! # let file = tempfile::tempfile()?;
//! # file.set_len(LEN as u64)?;
//! # let (protection, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
//! # // SAFETY: new mappings, the second over a part of the first.
//! # let place = unsafe {
//! #     let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
//! #     let place = libc::mmap(std::ptr::null_mut(), LEN, protection, anonymous, -1, 0);
//! #     let shared = shared | libc::MAP_FIXED;
//! #     libc::mmap(place, LEN, protection, shared, file.as_raw_fd(), 0).cast::<u64>()
//! # };
//! // `place` is a page-aligned place of this program's, where a file was just mapped.
//! // SAFETY: its pages may be replaced by zeros, and it stays longer than the watch.
//! let watch = unsafe { Watch::new(place.addr()..place.addr() + LEN, 1) }?;
//! file.set_len(0)?;
//! // SAFETY: mapped and aligned.
//! assert_eq!(unsafe { place.read_volatile() }, 0);
//! assert_eq!(watch.lost(), 1);
//! # Ok(())
//! # }
//! ```

mod index;
mod own;
mod owner;
mod place;
mod spare;
mod table;
mod turn;

use std::fmt;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fault::page_size;
use crate::system;
use owner::Stands;
use place::{File, Place, Window};
use turn::Turn;

pub use owner::exact;

/// Faults in windows that were covered with zeros.
static COVERED: AtomicUsize = AtomicUsize::new(0);

/// The size of a page, for the handler: set before the first window is watched.
static PAGE: AtomicUsize = AtomicUsize::new(4096);

/// Why a range is not watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// It is empty, or doesn't begin and end on a page.
    Misplaced,
    /// Its owner has a watch on a part of it.
    Overlaps,
    /// There are as many as a process may have: each takes two or three of the ranges of addresses
    /// that the kernel gives it (`vm.max_map_count`), and when those are used up nothing can be
    /// mapped any more, by anybody. So it is an eighth of them.
    TooMany,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Misplaced => "a window begins and ends on a page",
            Self::Overlaps => "a window of the same owner is there already",
            Self::TooMany => "the process has as many windows as it may",
        })
    }
}

impl std::error::Error for Refused {}

/// A window that the handler watches until this is dropped.
#[derive(Debug)]
pub struct Watch {
    place: &'static Place,
    /// What the place's version was when it became this one's. If it is another now, this watch was
    /// thrown out.
    version: u32,
}

impl Watch {
    /// Watches `range`, at whose start a file was just mapped.
    ///
    /// `owner` tells those apart who have windows, say by the address of something that each has
    /// for itself: an owner's windows may not overlap. Another owner's watch on a part of the range
    /// is thrown out, for it must be one whose memory is gone.
    ///
    /// [`install`](crate::install) must have succeeded before, or a lost page kills.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    ///
    /// # Safety
    ///
    /// - Until this is dropped the range is mapped readable and writable, and nobody minds when
    ///   from a lost page on, to its end, all that is mapped there becomes zeros: no reference to
    ///   any of it is held across an access.
    /// - Or else it was unmapped just now, and this is dropped as soon as may be.
    pub unsafe fn new(range: Range<usize>, owner: usize) -> Result<Self, Refused> {
        let page = page_size();
        if range.is_empty() || !(range.start | range.end).is_multiple_of(page) {
            return Err(Refused::Misplaced);
        }
        PAGE.store(page, Ordering::Relaxed);
        spare::keep();
        let file = owner::at(range.start);
        let (place, version) = table::lock().add(range, owner, file)?;
        Ok(Self { place, version })
    }

    /// How often zeros were put into the window since the watch began or was renewed. At least one
    /// if this was thrown out.
    #[inline]
    pub fn lost(&self) -> u32 {
        self.place.lost(self.version).unwrap_or(1)
    }

    /// The same, and of a watch that was thrown out what it had lost until then.
    #[inline]
    pub fn counted(&self) -> Option<u32> {
        let thrown_out = || table::lock().lost(self.place, self.version);
        self.place.lost(self.version).or_else(thrown_out)
    }

    /// Begins anew, after another file or another part of it was mapped at the start of the range.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new). Nobody touched what was mapped in between.
    pub unsafe fn renew(&mut self) {
        let _table = table::lock();
        if let Some(window) = self.place.get(self.version) {
            self.version = self.place.set(window.range.clone(), owner::at(window.range.start));
        }
    }

    /// Forgets which file stood at the start of the range, because more than one does in it: a page that
    /// any of them loses is covered, as where the kernel doesn't say whose it is.
    pub fn forget(&mut self) {
        let _table = table::lock();
        if let Some(window) = self.place.get(self.version) {
            self.version = self.place.set(window.range, File::default());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        table::lock().remove(self.place, self.version);
    }
}

/// How many lost pages in windows were covered with zeros so far, in this process.
///
/// A forked child starts with its parent's number.
pub fn faults_covered() -> u64 {
    COVERED.load(Ordering::Relaxed) as u64
}

/// Puts zeros where a window lost a page, unless another thread just did; says if the instruction
/// may go on.
///
/// For the handler: allocates nothing, waits for nobody but others that are here, keeps `errno`.
pub(crate) fn cover(address: usize, code: libc::c_int) -> bool {
    // Not, for one, a misaligned access, which would be just as misaligned on zeros.
    if !matches!(code, libc::BUS_ADRERR | libc::BUS_OBJERR | libc::BUS_MCEERR_AR) {
        return false;
    }
    let Some(place) = index::find(address) else { return false };
    let errno = system::errno();
    // SAFETY: the pointer is to this thread's `errno`, valid while the thread is.
    let before = unsafe { *errno };
    let done = cover_in(place, address, code);
    // SAFETY: as for the read.
    unsafe { *errno = before };
    done
}

/// The same, if the address lies in the window of a place.
fn cover_in(place: &Place, address: usize, code: libc::c_int) -> bool {
    let len = PAGE.load(Ordering::Relaxed);
    let page = address & !(len - 1);
    // Another thread may have been here since the fault, and then the page is there. A page of
    // memory that went bad looks as if it were, until it is touched.
    let there = || code != libc::BUS_MCEERR_AR && owner::there(page, len);
    let turn = Turn::wait();
    let Some(window) = place.read().filter(|window| window.range.contains(&address)) else {
        return false;
    };
    match owner::stands(&window, address) {
        Stands::Window => zeros(place, &window, page),
        Stands::Untold => there() || zeros(place, &window, page),
        Stands::Zeros => {
            // Nothing is put there, and the kernel may have to fetch the page.
            drop(turn);
            there()
        }
        Stands::Other => false,
    }
}

/// Puts zeros over a window from the lost page on; says if it could.
fn zeros(place: &Place, window: &Window, page: usize) -> bool {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    let (at, len) = (ptr::with_exposed_provenance_mut(page), window.range.end - page);
    // SAFETY: who watches a window allows its pages to be replaced.
    while unsafe { libc::mmap(at, len, protection, flags, -1, 0) } == libc::MAP_FAILED {
        // With nothing left to give back, what happens is what would without a window.
        if !spare::release() {
            return false;
        }
    }
    COVERED.fetch_add(1, Ordering::Relaxed);
    place.lose(window.version);
    true
}
