//! What the host tells of a mapping's file.

use super::bindings::changes::{self, FileState as State, Outcome, differences};
use super::{Handle, convert, reply};
use crate::Error;
use crate::changes::FileState;
use core::mem::MaybeUninit;
use core::time::Duration;

impl Handle {
    pub(crate) fn changed(&self) -> Result<FileState, Error> {
        Ok(reply::of(|reply| changes::changed(self.0, reply))?.into())
    }

    pub(crate) fn file_len(&self) -> Result<u64, Error> {
        Ok(reply::of(|reply| changes::file_length(self.0, reply))?)
    }

    /// Fills some of `buf`, and tells how much.
    pub(crate) fn read_up_to(
        &self,
        offset: u64,
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<usize, Error> {
        let length = buf.len() as u64;
        // SAFETY: it is such a function.
        unsafe {
            reply::fill_up_to(buf, |reply| changes::read_up_to(self.0, offset, length, reply))
        }
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read_strict(
        &self,
        offset: u64,
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<(), Error> {
        let length = buf.len() as u64;
        // SAFETY: it is such a function.
        unsafe { reply::fill(buf, |reply| changes::read_strict(self.0, offset, length, reply)) }
    }

    pub(crate) fn remap(&self) -> Result<Handle, Error> {
        Ok(Handle(reply::of(|reply| changes::remap(self.0, reply))?))
    }

    /// Waits, and again as long as the host says so: it counts the time.
    pub(crate) fn wait_for_change(
        &self,
        known: &FileState,
        wait: Option<Duration>,
    ) -> Result<Option<FileState>, Error> {
        let mut wait = wait.map(|wait| u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
        let (length, time, differences) = (known.length, known.modified_at, flags(known));
        loop {
            let (has_wait, nanos) = (wait.is_some(), wait.unwrap_or_default());
            let call = |reply: &mut _| {
                changes::wait_for_change(self.0, length, time, differences, has_wait, nanos, reply);
            };
            match reply::of(call)? {
                Outcome::Changed(state) => return Ok(Some(state.into())),
                Outcome::Same => return Ok(None),
                Outcome::Again(left) => wait = left.into(),
            }
        }
    }
}

impl From<State> for FileState {
    fn from(State { length, modified_at, differences: flags }: State) -> FileState {
        FileState {
            length,
            modified_at,
            shorter: flags & differences::SHORTER != 0,
            longer: flags & differences::LONGER != 0,
            modified: flags & differences::MODIFIED != 0,
            replaced: flags & differences::REPLACED != 0,
            gone: flags & differences::GONE != 0,
        }
    }
}

fn flags(state: &FileState) -> u8 {
    convert::wanted([
        (state.shorter, differences::SHORTER),
        (state.longer, differences::LONGER),
        (state.modified, differences::MODIFIED),
        (state.replaced, differences::REPLACED),
        (state.gone, differences::GONE),
    ])
}
