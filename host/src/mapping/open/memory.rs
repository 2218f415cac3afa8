//! How a region of shared memory is opened, as a file of its pool's.

use super::Request;
use crate::error::{Error, ErrorKind};
use crate::mapping::mapped::Mapped;
use crate::mapping::memory::{self, MemoryFile, SharedMemory};
use crate::mapping::options::FsPerms;
use std::sync::Arc;

impl Request<'_> {
    /// Opens a region of shared memory as a file, by its name there. What the grant permits was
    /// checked.
    pub(crate) fn open_memory(
        mut self,
        memory: &SharedMemory,
        path: &str,
    ) -> Result<Mapped, Error> {
        let name = memory::checked_name(path)?;
        self.by_path = true;
        if let Some(region) = self.find_memory(memory, name)? {
            return self.map_memory(region, self.perms == FsPerms::ReadWrite);
        }
        // Whatever can be refused is, before anything is made.
        drop(self.plan(0, true)?);
        // By one at a time: another of this name is to find the region, not that the pool has no room for
        // a second.
        let making = memory.making();
        if let Some(region) = self.find_memory(memory, name)? {
            drop(making);
            return self.map_memory(region, self.perms == FsPerms::ReadWrite);
        }
        let region = memory.make()?;
        let mapped = self.map_memory(region.clone(), true)?;
        memory.publish(name, &region)?;
        Ok(mapped)
    }

    /// The region of this name. `None`: it is to be made.
    fn find_memory(
        &self,
        memory: &SharedMemory,
        name: &str,
    ) -> Result<Option<Arc<MemoryFile>>, Error> {
        match memory.find(name) {
            Some(_) if self.options.exclusive => Err(ErrorKind::Eexist.into()),
            None if !self.options.create => Err(ErrorKind::Enoent.into()),
            found => Ok(found),
        }
    }

    fn map_memory(&mut self, region: Arc<MemoryFile>, writable: bool) -> Result<Mapped, Error> {
        let file = region.file.clone();
        let stat = file.metadata()?;
        self.memory = Some(region);
        let plan = self.plan(stat.len(), writable);
        let mapped = plan.and_then(|plan| self.map(&file, &stat, plan, writable));
        // One that nothing has come of goes before the next is made.
        self.memory = None;
        mapped
    }
}
