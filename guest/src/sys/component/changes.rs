//! What the host tells of a mapping's file.

use super::bindings::changes::iommap::mmap::changes::{
    self, Differences, FileState as State, Outcome,
};
use super::{Handle, imports, reply};
use crate::Error;
use crate::changes::FileState;
use core::mem::MaybeUninit;
use core::time::Duration;

impl Handle {
    pub(crate) fn changed(&self) -> Result<FileState, Error> {
        Ok(changes::changed(&self.0)?.into())
    }

    pub(crate) fn file_len(&self) -> Result<u64, Error> {
        Ok(changes::file_length(&self.0)?)
    }

    /// Fills some of `buf`, and tells how much.
    pub(crate) fn read_up_to(
        &self,
        offset: u64,
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<usize, Error> {
        let length = buf.len() as u64;
        let call = |reply| {
            // SAFETY: the handle is that of an open resource, and there is room for the reply.
            unsafe { imports::read_up_to(self.number(), offset, length, reply) }
        };
        // SAFETY: it is such a function.
        unsafe { reply::fill_up_to(buf, call) }
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read_strict(
        &self,
        offset: u64,
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<(), Error> {
        let length = buf.len() as u64;
        let call = |reply| {
            // SAFETY: the handle is that of an open resource, and there is room for the reply.
            unsafe { imports::read_strict(self.number(), offset, length, reply) }
        };
        // SAFETY: it is such a function.
        unsafe { reply::fill(buf, call) }
    }

    pub(crate) fn remap(&self) -> Result<Handle, Error> {
        Ok(Handle(changes::remap(&self.0)?))
    }

    /// Waits, and again as long as the host says so: it counts the time.
    pub(crate) fn wait_for_change(
        &self,
        known: &FileState,
        wait: Option<Duration>,
    ) -> Result<Option<FileState>, Error> {
        let mut wait = wait.map(|wait| u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
        let known = State::from(*known);
        loop {
            match changes::wait_for_change(&self.0, known, wait)? {
                Outcome::Changed(state) => return Ok(Some(state.into())),
                Outcome::Same => return Ok(None),
                Outcome::Again(left) => wait = left,
            }
        }
    }
}

impl From<State> for FileState {
    fn from(State { length, modified_at, differences }: State) -> FileState {
        FileState {
            length,
            modified_at,
            shorter: differences.contains(Differences::SHORTER),
            longer: differences.contains(Differences::LONGER),
            modified: differences.contains(Differences::MODIFIED),
            replaced: differences.contains(Differences::REPLACED),
            gone: differences.contains(Differences::GONE),
        }
    }
}

impl From<FileState> for State {
    fn from(state: FileState) -> State {
        let differences = [
            (state.shorter, Differences::SHORTER),
            (state.longer, Differences::LONGER),
            (state.modified, Differences::MODIFIED),
            (state.replaced, Differences::REPLACED),
            (state.gone, Differences::GONE),
        ]
        .into_iter()
        .filter(|(is, _)| *is)
        .fold(Differences::empty(), |all, (_, one)| all | one);
        State { length: state.length, modified_at: state.modified_at, differences }
    }
}
