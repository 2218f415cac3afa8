//! Windows: pages of a mapping in the guest's own memory.

mod frozen;
#[cfg(feature = "std")]
mod lost;
mod options;
mod read;
mod region;

pub use frozen::FrozenWindow;
#[cfg(feature = "std")]
pub use lost::lost;
pub use options::WindowOptions;
pub use read::View;
pub(crate) use region::{Region, UNIT};

use crate::error::Asked;
use crate::{Error, ErrorKind, Mapping, Range, sys};
use alloc::sync::Arc;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Bytes of a mapping in the guest's own memory: reading them is no call into the host. Dropping it
/// takes them out again.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # if !cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) { return Ok(()) }
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("index");
/// # std::fs::write(&path, b"IDX1\x05\0\0\0\0\0\0\0head, body and tail")?;
/// use iommap_guest::Mapping;
///
/// let index = Mapping::open(&path)?;
/// let window = index.window(0..index.len()?)?;
/// assert_eq!(&window.read_array::<4>(0)?, b"IDX1");
/// assert_eq!(window.u64_le_at(4)?, 5);
/// let mut tail = [0; 4];
/// window.read_exact_at(27, &mut tail)?;
/// assert_eq!(&tail, b"tail");
/// # Ok(())
/// # }
/// ```
///
/// # A page that is lost
///
/// A load can't fail. Where the file no longer backs a page, the host puts zeros there and
/// everywhere behind it. The methods that read look after each read whether that happened, which
/// is a load of one word, and fail with [`ErrorKind::Sigbus`] then. From then on every read of the
/// window fails, also of what lies before the lost page: [`move_to`](Window::move_to) makes it as good as new, and the
/// mapping itself still reads what there is.
///
/// Whoever reads by other ways, through [`as_ptr`](Window::as_ptr) or
/// [`as_slice`](Window::as_slice), asks [`check`](Window::check) before believing.
///
/// The file may be changed by others meanwhile, so a window lends no slice but by `unsafe`; a
/// [`FrozenWindow`] does.
pub struct Window {
    handle: sys::Window,
    /// Taken out of here when it is memory again.
    region: ManuallyDrop<Region>,
    /// The first byte of what was asked for: the window itself begins at a multiple of the unit.
    data: NonNull<u8>,
    len: usize,
    options: WindowOptions,
    frozen: bool,
    /// See [`whole`](Window::whole).
    looks: AtomicU32,
    /// Where the bytes come from, for the words of errors.
    offset: u64,
    path: Option<Arc<str>>,
}

// SAFETY: what the pointer leads to is the region's, which may be sent.
unsafe impl Send for Window {}
// SAFETY: as above; through a shared reference it is only read from.
unsafe impl Sync for Window {}

/// Windows onto the file. Not every host has them ([`ErrorKind::Enotsup`]), nor allows them
/// ([`ErrorKind::LimitExceeded`], [`ErrorKind::Eacces`]); [`read_exact_at`](Mapping::read_exact_at) does
/// the same work. [`Windows`](crate::Windows) chooses by itself.
impl Mapping {
    /// Has the host put a range of the file into the guest's own memory.
    ///
    /// # Errors
    ///
    /// Those of [`WindowOptions::open`].
    pub fn window(&self, range: impl Into<Range>) -> Result<Window, Error> {
        Window::options().open(self, range)
    }

    /// The same, if nobody can change the bytes any more: a window that lends a slice.
    ///
    /// # Errors
    ///
    /// Those of [`WindowOptions::open_frozen`].
    pub fn frozen_window(&self, range: impl Into<Range>) -> Result<FrozenWindow, Error> {
        Window::options().open_frozen(self, range)
    }
}

/// Where a range lies in its window: how many bytes behind its beginning, and how long the window
/// is.
fn placed(range: Range) -> Result<(usize, usize), Error> {
    let skip = (range.offset % UNIT as u64) as usize;
    let length = usize::try_from(range.length).map_err(|_| ErrorKind::Enomem)?;
    Ok((skip, length.checked_add(skip).ok_or(ErrorKind::Enomem)?))
}

impl Window {
    /// Options for a window, all of them off at first.
    pub fn options() -> WindowOptions {
        WindowOptions::default()
    }

    /// Opens one with memory for at least `room` bytes, which it may be moved to later.
    pub(crate) fn open(
        source: &Mapping,
        range: Range,
        (options, frozen): (WindowOptions, bool),
        room: usize,
    ) -> Result<Window, Error> {
        let opened = || {
            let (skip, whole) = placed(range)?;
            if range.length == 0 {
                // The bytes in front of none are no window either.
                return Err(ErrorKind::Badarg.into());
            }
            // Wherever it is moved to, it begins less than a unit before what is asked for.
            let room = room.max(range.length as usize).checked_add(UNIT - 1);
            let region = Region::new(room.ok_or(ErrorKind::Enomem)?)?;
            region.sign(region.token());
            let (offset, whole) = (range.offset - skip as u64, whole as u64);
            let handle =
                sys::Window::open(source.handle(), offset, whole, &region, options, frozen)?;
            // SAFETY: the region has room for `whole`, of which it is a part.
            let data = unsafe { region.start().add(skip) };
            Ok((handle, region, data))
        };
        let (handle, region, data) =
            opened().map_err(|error: Error| error.when(asked(range), source.path()))?;
        #[cfg(feature = "std")]
        lost::begins(&region);
        Ok(Window {
            handle,
            region: ManuallyDrop::new(region),
            data,
            len: range.length as usize,
            options,
            frozen,
            looks: AtomicU32::new(0),
            offset: range.offset,
            path: source.path().cloned(),
        })
    }

    /// How many bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: there is no window on nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where in the file they begin, when the window was opened or moved last.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Where in memory they are, until the window is dropped. Whoever reads there asks
    /// [`check`](Window::check) before believing.
    #[inline]
    pub fn as_ptr(&self) -> *const u8 {
        self.data.as_ptr()
    }

    /// The same, to be written to. What is written stays in this window until it is moved or
    /// dropped, and hides what the file has there; or it reaches the file, if the window is
    /// [`shared`](WindowOptions::shared). Where a page was lost it reaches nothing.
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.data.as_ptr()
    }

    /// The bytes themselves.
    ///
    /// # Safety
    ///
    /// As long as the slice is there nobody changes these bytes of the file, nor cuts it short:
    /// then they would become others, or zeros, under a reference. Where that is not sure,
    /// [`as_ptr`](Window::as_ptr) and reads that are volatile, or the methods that copy.
    #[inline]
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: there for as long as the window is; the rest is the caller's.
        unsafe { core::slice::from_raw_parts(self.as_ptr(), self.len) }
    }

    /// Was everything that was read so far really in the file? One load, and no call of the host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sigbus`]: the file lost a page under the window, since it was opened or moved.
    #[inline]
    pub fn check(&self) -> Result<(), Error> {
        if self.whole() { Ok(()) } else { Err(self.lost(0, self.len)) }
    }

    /// [`check`](Window::check), by asking the host.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Window::check).
    pub fn check_by_host(&self) -> Result<(), Error> {
        self.handle.check().map_err(|error| error.when(self.asked(), self.path.as_ref()))
    }

    /// Puts other bytes of this file or of another into the same memory, by the options that the
    /// window was opened with. It is as good as new then: what was stored there is gone, and pages
    /// that were lost are tried again. After an error it is as it was.
    ///
    /// # Errors
    ///
    /// Those of [`WindowOptions::open`]; [`ErrorKind::Badarg`]: they are more than the memory of
    /// this window has room for, which is at least as many as it was opened for.
    pub fn move_to(&mut self, source: &Mapping, range: impl Into<Range>) -> Result<(), Error> {
        let range = range.into();
        let moved = || {
            let (skip, whole) = placed(range)?;
            if range.length == 0 || whole > self.region.room() {
                return Err(ErrorKind::Badarg.into());
            }
            let lost = !self.whole();
            self.region.sign(self.region.token());
            let (offset, whole) = (range.offset - skip as u64, whole as u64);
            let moved =
                self.handle.move_to(source.handle(), offset, whole, self.options, self.frozen);
            if moved.is_err() && lost {
                self.region.sign(0);
            }
            #[cfg(feature = "std")]
            lost::moves(lost);
            moved.map(|()| skip)
        };
        let skip = moved().map_err(|error: Error| error.when(asked(range), source.path()))?;
        // SAFETY: inside the region.
        self.data = unsafe { self.region.start().add(skip) };
        self.len = range.length as usize;
        self.offset = range.offset;
        self.path = source.path().cloned();
        Ok(())
    }

    /// Has the pages of a range of the window read in, so that loads don't wait for a device.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfBounds`].
    pub fn prefetch(&self, range: core::ops::Range<usize>) -> Result<(), Error> {
        let length = range.end.saturating_sub(range.start);
        self.place(range.start, length)?;
        // SAFETY: both are of the same region.
        let skip = unsafe { self.data.offset_from(self.region.start()) } as u64;
        let prefetched = self.handle.prefetch(skip + range.start as u64, length as u64);
        prefetched.map_err(|error| error.when(self.asked(), self.path.as_ref()))
    }

    /// Takes the bytes out again: what dropping does, and tells of errors.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Enomem`]: the host could not. The memory is not used again.
    pub fn close(self) -> Result<(), Error> {
        let mut window = ManuallyDrop::new(self);
        let closed = window.end();
        // SAFETY: once, and never used again.
        unsafe {
            core::ptr::drop_in_place(&raw mut window.handle);
            core::ptr::drop_in_place(&raw mut window.path);
        }
        closed
    }

    /// Has the host take its pages out, and frees the region if it did.
    fn end(&mut self) -> Result<(), Error> {
        #[cfg(feature = "std")]
        lost::ends(&self.region);
        self.handle.close()?;
        // SAFETY: once: it is called when the window ends.
        unsafe { ManuallyDrop::drop(&mut self.region) };
        Ok(())
    }

    /// Is the token where it was put: was no page lost?
    ///
    /// What the caller read of the window it must have read before, and two compilers might have it
    /// otherwise. Ours is told by a fence. A compiler of wasm knows that nobody else changes memory,
    /// and would look once for all: so there is a store of something new before each look,
    /// after which it doesn't know (a call of a function would do as well, and takes longer).
    #[inline]
    fn whole(&self) -> bool {
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        self.looks.store(self.looks.load(Relaxed).wrapping_add(1), Relaxed);
        // SAFETY: in the region, which is there as long as this is.
        let token = unsafe { self.region.token_place().read_volatile() };
        u64::from_le(token) == self.region.token()
    }

    /// That a page was lost when this was read.
    #[cold]
    #[inline(never)]
    fn lost(&self, offset: usize, length: usize) -> Error {
        self.fails(ErrorKind::Sigbus, offset, length)
    }

    #[cold]
    #[inline(never)]
    fn fails(&self, kind: ErrorKind, offset: usize, length: usize) -> Error {
        let offset = self.offset.saturating_add(offset as u64);
        Error::from(kind).when(Asked::Read { offset, length: length as u64 }, self.path.as_ref())
    }

    fn asked(&self) -> Asked {
        asked(Range::new(self.offset, self.len as u64))
    }
}

fn asked(range: Range) -> Asked {
    Asked::Window { offset: range.offset, length: range.length }
}

impl Drop for Window {
    fn drop(&mut self) {
        // If the host can't take its pages out, the memory is never used again.
        _ = self.end();
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("path", &self.path)
            .field("offset", &self.offset)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
