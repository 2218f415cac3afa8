//! The host's storage.

use super::bindings::storage::{self, SyncFailure};
use super::{Handle, reply};
use crate::storage::Space;
use crate::{Error, Range};
use alloc::vec::Vec;

impl Handle {
    pub(crate) fn change_space(
        &self,
        space: Space,
        Range { offset, length }: Range,
    ) -> Result<(), Error> {
        Ok(reply::of(|reply| match space {
            Space::Hole => storage::punch_hole(self.0, offset, length, reply),
            Space::Zeros => storage::zero_range(self.0, offset, length, reply),
            Space::Blocks => storage::allocate(self.0, offset, length, reply),
        })?)
    }

    pub(crate) fn sync_entry(&self) -> Result<(), Error> {
        Ok(reply::of(|reply| storage::sync_entry(self.0, reply))?)
    }

    /// Or which of them fails first.
    pub(crate) fn sync_many(handles: &[&Handle]) -> Result<(), (usize, Error)> {
        let numbers: Vec<u32> = handles.iter().map(|handle| handle.0).collect();
        let (start, length) = (numbers.as_ptr(), numbers.len());
        // SAFETY: that is where the handles are.
        reply::of(|reply| unsafe { storage::sync_many(start, length, reply) })
            .map_err(|SyncFailure { index, code }| (index as usize, code.into()))
    }
}
