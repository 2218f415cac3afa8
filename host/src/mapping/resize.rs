//! `set_len`: a mapping and its file change their length together, or the mapping not at all.

use super::common::{RegionRef, RegionSpec};
use super::mapped::Mapped;
use super::memory::{self, MemoryFile};
use super::pages::Protection;
use super::platform;
use crate::error::{Error, ErrorKind};
use crate::usage::{Reservation, Resource};
use std::fs::File;
use std::mem;
use std::sync::Arc;

impl Mapped {
    /// Makes file and mapping `new` bytes long.
    pub(crate) fn set_len(&mut self, new: u64) -> Result<(), Error> {
        Resize::begin(self, new)?.run(|step| step(self))
    }
}

/// Something that is done to the mapping while nobody else has it.
pub(super) type Step<'a> = &'a mut dyn FnMut(&mut Mapped) -> Result<(), Error>;

/// A change of length that is under way.
pub(super) struct Resize {
    file: Arc<File>,
    memory: Option<Arc<MemoryFile>>,
    new: u64,
    /// The file's length when this began.
    length: u64,
    /// Before the exchange the new region; after it the one that served before.
    region: RegionRef,
    /// What the new length takes beside what the old one holds.
    mapped: Option<Reservation>,
    locked: Option<Reservation>,
    lock: bool,
}

impl Resize {
    /// Checks that the length may be changed, and maps the new region: it stands before the file
    /// changes.
    pub(super) fn begin(mapped: &Mapped, new: u64) -> Result<Resize, Error> {
        let open = mapped.opened()?;
        // Neither the length of a file that is only read is a guest's to change, nor that of what
        // is lent to it.
        let file = open.file.clone().filter(|_| !open.region.is_borrowed());
        let file = file.ok_or_else(|| {
            Error::because(ErrorKind::Eacces, "the mapping may not change the file's length")
        })?;
        let stat = file.metadata()?;
        let length = stat.len();
        let usage = &mapped.usage;
        if new > length {
            usage.check_file(new)?;
        }
        let more = |resource, held: &Reservation| {
            Reservation::new(usage, resource, new.saturating_sub(held.amount()))
        };
        let more_mapped = more(Resource::MappedBytes, &open.mapped)?;
        let more_locked =
            open.locked.as_ref().map(|held| more(Resource::LockedBytes, held)).transpose()?;
        let spec = RegionSpec {
            protection: Protection::SharedWrite,
            nocache: open.nocache,
            common: open.common && open.locked.is_none(),
        };
        let region = open.region.resized(&file, &stat, new, spec, usage)?;
        Ok(Resize {
            file,
            memory: open.memory.clone(),
            new,
            length,
            region,
            mapped: Some(more_mapped),
            lock: more_locked.is_some(),
            locked: more_locked,
        })
    }

    /// Changes the file and then the mapping, or, where the file gets shorter, the mapping and then
    /// the file: nobody reads a page through this mapping that this call takes away. `with` has
    /// the mapping for a moment only, however long the file system takes.
    pub(super) fn run(
        mut self,
        mut with: impl FnMut(Step<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.new > self.length {
            self.raise()?;
        }
        if self.lock {
            self.lock_new()?;
        }
        let grows = self.new >= self.length;
        if grows {
            // Others may have changed the length since.
            self.set_len()?;
        }
        with(&mut |mapped| self.exchange(mapped))?;
        if !grows && let Err(error) = self.set_len() {
            // The mapping is as it was. Should it have been closed meanwhile, it stays so.
            let _ = with(&mut |mapped| self.exchange(mapped));
            return Err(error);
        }
        if self.lock {
            // Others may have the old region for longer: those that it was lent to.
            self.region.unlock();
        }
        match with(&mut |mapped| self.settle(mapped)) {
            // Closed meanwhile, it has nothing to settle.
            Err(error) if error == ErrorKind::Closed => Ok(()),
            other => other,
        }
    }

    /// Locks the new region's pages where the old one's are. Those that the file has: a file that
    /// others cut has fewer, and gets its length first.
    fn lock_new(&self) -> Result<(), Error> {
        if self.new <= self.length && self.file.metadata()?.len() < self.new {
            self.raise()?;
        }
        self.region.lock()
    }

    fn raise(&self) -> Result<(), Error> {
        let raise = || platform::raise(&self.file, self.new);
        memory::change_length(self.memory.as_deref(), self.new, raise)
    }

    fn set_len(&self) -> Result<(), Error> {
        let set = || Ok(platform::set_len(&self.file, self.new)?);
        memory::change_length(self.memory.as_deref(), self.new, set)
    }

    /// Gives the mapping the other region.
    fn exchange(&mut self, mapped: &mut Mapped) -> Result<(), Error> {
        let open = mapped.open.as_mut().ok_or(ErrorKind::Closed)?;
        mem::swap(&mut open.region, &mut self.region);
        Ok(())
    }

    /// Makes the mapping's reservations those of its new length.
    fn settle(&mut self, mapped: &mut Mapped) -> Result<(), Error> {
        let open = mapped.open.as_mut().ok_or(ErrorKind::Closed)?;
        if let Some(more) = self.mapped.take() {
            open.mapped.join(more);
            open.mapped.shrink_to(self.new);
        }
        if let (Some(held), Some(more)) = (&mut open.locked, self.locked.take()) {
            held.join(more);
            held.shrink_to(self.new);
        }
        Ok(())
    }
}
