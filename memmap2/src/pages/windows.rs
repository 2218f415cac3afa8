//! A window of the host's.

use super::{Kind, Part};
use crate::{Advice, MmapRawDescriptor};
use iommap_guest::{Error, ErrorKind, FrozenWindow, Mapping, SyncMode, Window};
use std::io;
use std::sync::{Mutex, PoisonError};

pub(crate) struct Pages {
    window: Shown,
    /// For what is asked of the file.
    mapping: Mapping,
    offset: u64,
    file: MmapRawDescriptor,
    identity: (u64, u64),
    /// All of the file, locked in the host's memory. The window's pages are some of them.
    locked: Mutex<Option<Mapping>>,
}

// A window is larger than a pointer, and there are few.
enum Shown {
    Window(Window),
    Frozen(FrozenWindow),
}

impl Pages {
    pub(crate) fn map(file: &MmapRawDescriptor, part: Part, kind: Kind) -> io::Result<Pages> {
        let mut options = Mapping::options();
        options.read(true).write(kind == Kind::Shared);
        let mapping = options.map_open(file.borrow()?)?;
        let mut options = Window::options();
        options.populate(part.populate).shared(kind == Kind::Shared);
        let range = (part.offset, part.len as u64);
        let window = match kind {
            Kind::Frozen => options.open_frozen(&mapping, range).map(Shown::Frozen),
            _ => options.open(&mapping, range).map(Shown::Window),
        };
        Ok(Pages {
            window: window.map_err(|error| refused(error, kind))?,
            mapping,
            offset: part.offset,
            identity: file.identity()?,
            file: file.clone(),
            locked: Mutex::default(),
        })
    }

    pub(crate) fn start(&self) -> *const u8 {
        match &self.window {
            Shown::Window(window) => window.as_ptr(),
            Shown::Frozen(window) => window.as_ptr(),
        }
    }

    pub(crate) fn flush(&self, offset: usize, len: usize, wait: bool) -> io::Result<()> {
        let mode = if wait { SyncMode::Sync } else { SyncMode::Async };
        Ok(self.mapping.sync_range_with(self.offset + offset as u64, len as u64, mode)?)
    }

    pub(crate) fn advise(&self, advice: Advice, offset: usize, len: usize) -> io::Result<()> {
        let hint = match advice {
            Advice::WillNeed | Advice::PopulateRead => {
                let range = offset..offset + len;
                return Ok(match &self.window {
                    Shown::Window(window) => window.prefetch(range),
                    Shown::Frozen(window) => window.prefetch(range),
                }?);
            }
            Advice::Normal => iommap_guest::Advice::Normal,
            Advice::Random => iommap_guest::Advice::Random,
            Advice::Sequential => iommap_guest::Advice::Sequential,
            _ => return Ok(()),
        };
        // Of length 0 it would be all that follows.
        if len == 0 {
            return Ok(());
        }
        Ok(self.mapping.advise(self.offset + offset as u64, len as u64, hint)?)
    }

    /// The host locks what it maps, and not what it shows. So the file is mapped once more, for which
    /// it has to be open still, under the number that it was mapped by.
    pub(crate) fn lock(&self, _: usize) -> io::Result<()> {
        if self.file.identity()? != self.identity {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        // Twice it would count twice against the host's limit.
        if locked.is_none() {
            let mut options = Mapping::options();
            options.read(true).lock(true);
            *locked = Some(options.map_open(self.file.borrow()?)?);
        }
        Ok(())
    }

    pub(crate) fn unlock(&self, _: usize) -> io::Result<()> {
        *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

/// A guest's own memory is the host's to keep where it wants.
pub(crate) fn lock(_: *const u8, _: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn unlock(_: *const u8, _: usize) -> io::Result<()> {
    Ok(())
}

/// Says which of the things is missing without which there is no window. What the file's mode allows was
/// looked at before, when the host mapped it.
fn refused(error: Error, kind: Kind) -> io::Error {
    let (of, words) = match (error.kind(), kind) {
        (ErrorKind::LimitExceeded, _) => (
            io::ErrorKind::QuotaExceeded,
            "the host shows no window of this length: this guest may have none, or no more, or no larger \
             ones (`iommap run --limit windows=N --limit window-bytes=SIZE`)",
        ),
        (ErrorKind::Eacces, Kind::Shared) => (
            io::ErrorKind::PermissionDenied,
            "the host shows no window that is written to: nobody has allowed that \
             (`iommap run --writable-windows`)",
        ),
        (ErrorKind::Eacces, _) => (
            io::ErrorKind::PermissionDenied,
            "the host shows no window on this file: others can change it, and nobody has told the host \
             to trust them (`iommap run --windows-on-changing-files`)",
        ),
        (ErrorKind::Enotsup, Kind::Frozen) => (
            io::ErrorKind::Unsupported,
            "the host shows no window that is frozen: others can change the file",
        ),
        (ErrorKind::Enotsup, _) => (
            io::ErrorKind::Unsupported,
            "the host shows no window on this file: it has none at all, or the file can have none",
        ),
        _ => return error.into(),
    };
    io::Error::new(of, words)
}
