//! The host's storage.

use super::Handle;
use super::bindings::storage::iommap::mmap::storage::{self, SyncFailure};
use crate::storage::Space;
use crate::{Error, Range};
use alloc::vec::Vec;

impl Handle {
    pub(crate) fn change_space(
        &self,
        space: Space,
        Range { offset, length }: Range,
    ) -> Result<(), Error> {
        Ok(match space {
            Space::Hole => storage::punch_hole(&self.0, offset, length),
            Space::Zeros => storage::zero_range(&self.0, offset, length),
            Space::Blocks => storage::allocate(&self.0, offset, length),
        }?)
    }

    pub(crate) fn sync_entry(&self) -> Result<(), Error> {
        Ok(storage::sync_entry(&self.0)?)
    }

    /// Or which of them fails first.
    pub(crate) fn sync_many(handles: &[&Handle]) -> Result<(), (usize, Error)> {
        let mappings: Vec<_> = handles.iter().map(|handle| &handle.0).collect();
        storage::sync_many(&mappings)
            .map_err(|SyncFailure { index, code }| (index as usize, code.into()))
    }
}
