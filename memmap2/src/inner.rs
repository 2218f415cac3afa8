//! What all kinds of maps have in common.

use crate::pages::{self, Kind, Pages, Part};
use crate::{Advice, MmapRawDescriptor};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// As large as any system's page.
const PAGE: usize = 1 << 16;

/// A map.
pub(crate) struct Inner {
    held: Held,
    len: usize,
}

enum Held {
    /// Not a byte.
    Nothing,
    Memory(Memory),
    Pages(Box<Pages>, Kind),
}

/// Zeros of the program's own: whole pages, so that nobody else has a part of one that is locked.
struct Memory {
    start: NonNull<u8>,
    layout: Layout,
    locked: AtomicBool,
}

// SAFETY: memory that is owned, reached as any other.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    fn new(len: usize) -> io::Result<Memory> {
        let no_memory = || io::Error::from(io::ErrorKind::OutOfMemory);
        let layout = Layout::from_size_align(len, PAGE).map_err(|_| no_memory())?.pad_to_align();
        // SAFETY: not of length 0.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(no_memory)?;
        Ok(Memory { start, layout, locked: AtomicBool::new(false) })
    }

    fn lock(&self, len: usize) -> io::Result<()> {
        pages::lock(self.start.as_ptr(), len)?;
        self.locked.store(true, Relaxed);
        Ok(())
    }

    fn unlock(&self) -> io::Result<()> {
        pages::unlock(self.start.as_ptr(), self.layout.size())?;
        self.locked.store(false, Relaxed);
        Ok(())
    }

    /// Makes it longer, from `old` bytes on with zeros. In place, unless it may move. What is locked stays so.
    #[cfg(target_os = "linux")]
    fn grow(&mut self, old: usize, new: usize, may_move: bool) -> io::Result<()> {
        let fits = new <= self.layout.size();
        if !fits && !may_move {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let longer = if fits { None } else { Some(Memory::new(new)?) };
        if *self.locked.get_mut() {
            longer.as_ref().unwrap_or(self).lock(new)?;
        }
        match longer {
            // SAFETY: ours, and what it had there before it was made shorter is nobody's any more.
            None => unsafe { self.start.add(old).write_bytes(0, new - old) },
            Some(longer) => {
                // SAFETY: of two allocations, each of at least as many bytes.
                unsafe { self.start.copy_to_nonoverlapping(longer.start, old) };
                *self = longer;
            }
        }
        Ok(())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Whoever has this memory next has not asked for it.
        if *self.locked.get_mut() {
            let _ = self.unlock();
        }
        // SAFETY: allocated with this layout, and nobody's any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

impl Inner {
    pub(crate) fn anonymous(len: usize) -> io::Result<Inner> {
        let held = if len == 0 { Held::Nothing } else { Held::Memory(Memory::new(len)?) };
        Ok(Inner { held, len })
    }

    pub(crate) fn map(file: &MmapRawDescriptor, part: Part, kind: Kind) -> io::Result<Inner> {
        let Part { offset, len, .. } = part;
        // Behind the file's end there is nothing to map: it would be a signal, or zeros.
        if file.len()?.saturating_sub(offset) < len as u64 {
            let words = "the map would be longer than the file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        let held = match len {
            0 => Held::Nothing,
            _ => Held::Pages(Box::new(Pages::map(file, part, kind)?), kind),
        };
        Ok(Inner { held, len })
    }

    pub(crate) fn ptr(&self) -> *const u8 {
        match &self.held {
            Held::Nothing => ptr::without_provenance(PAGE),
            Held::Memory(memory) => memory.start.as_ptr(),
            Held::Pages(pages, _) => pages.start(),
        }
    }

    /// To be written to, unless it is frozen: then nobody does.
    pub(crate) fn mut_ptr(&self) -> *mut u8 {
        self.ptr().cast_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn flush(&self, offset: usize, len: usize, wait: bool) -> io::Result<()> {
        self.holds(offset, len)?;
        match &self.held {
            Held::Pages(pages, Kind::Shared) if len > 0 => pages.flush(offset, len, wait),
            _ => Ok(()),
        }
    }

    pub(crate) fn advise(&self, advice: Advice, offset: usize, len: usize) -> io::Result<()> {
        self.holds(offset, len)?;
        match &self.held {
            Held::Pages(pages, _) if len > 0 => pages.advise(advice, offset, len),
            _ => Ok(()),
        }
    }

    /// Keeps the bytes in memory.
    pub(crate) fn lock(&self) -> io::Result<()> {
        match &self.held {
            Held::Nothing => Ok(()),
            Held::Memory(memory) => memory.lock(self.len),
            Held::Pages(pages, _) => pages.lock(self.len),
        }
    }

    pub(crate) fn unlock(&self) -> io::Result<()> {
        match &self.held {
            Held::Nothing => Ok(()),
            Held::Memory(memory) => memory.unlock(),
            Held::Pages(pages, _) => pages.unlock(self.len),
        }
    }

    /// Makes the map longer or shorter. In place, unless it may move.
    #[cfg(target_os = "linux")]
    pub(crate) fn remap(&mut self, len: usize, may_move: bool) -> io::Result<()> {
        match &mut self.held {
            Held::Pages(pages, _) => pages.remap(len, may_move)?,
            Held::Memory(memory) if len > self.len => memory.grow(self.len, len, may_move)?,
            Held::Memory(_) => {}
            Held::Nothing if len == 0 => {}
            // What is mapped nowhere has no file any more.
            Held::Nothing => return Err(io::ErrorKind::InvalidInput.into()),
        }
        self.len = len;
        Ok(())
    }

    fn holds(&self, offset: usize, len: usize) -> io::Result<()> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}
