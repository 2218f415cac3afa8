//! Words where there is no host: those of a page of the file, which is mapped for as long as it is
//! used, and touched by the guard that the host has as well. Where no guard is written there are none.

use super::{Handle, State, allowed, open_state};
use crate::atomics::{Change, Waited, Word};
use crate::{Error, ErrorKind, Range};
use std::time::Duration;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod page;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod without;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
use without as page;

use page::Page;

/// What a mapping has to allow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Load,
    Store,
    Change,
    Wait,
}

impl Handle {
    /// Uses an open mapping, after the checks in the interface's order.
    fn word<R>(
        &self,
        offset: u64,
        size: usize,
        need: Need,
        work: impl FnOnce(&mut State) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        let shared = state.private.is_none();
        allowed(match need {
            Need::Load => self.reads,
            Need::Store => self.writes && shared,
            Need::Change => self.reads && self.writes && shared,
            Need::Wait => self.reads && shared,
        })?;
        if !offset.is_multiple_of(size as u64) {
            return Err(ErrorKind::Badarg.into());
        }
        state.check(Range { offset, length: size as u64 })?;
        work(state)
    }

    pub(crate) fn wait(
        &self,
        offset: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<Waited, Error> {
        let page =
            self.word(offset, 4, Need::Wait, |state| Page::map(&state.file, offset, self.writes))?;
        page.wait(expected, timeout)
    }

    pub(crate) fn notify(&self, offset: u64, count: u32) -> Result<u32, Error> {
        self.word(offset, 4, Need::Store, |state| {
            Page::map(&state.file, offset, true)?.notify(count)
        })
    }
}

macro_rules! word {
    ($word:ty) => {
        impl Word for $word {
            fn load(handle: &Handle, offset: u64) -> Result<Self, Error> {
                handle.word(offset, size_of::<Self>(), Need::Load, |state| {
                    if state.private.is_some() {
                        let mut bytes = [0; size_of::<Self>()];
                        state.read(offset, &mut bytes)?;
                        return Ok(Self::from_le_bytes(bytes));
                    }
                    Page::map(&state.file, offset, false)?.load()
                })
            }

            fn store(handle: &Handle, offset: u64, value: Self) -> Result<(), Error> {
                handle.word(offset, size_of::<Self>(), Need::Store, |state| {
                    Page::map(&state.file, offset, true)?.store(value)
                })
            }

            fn change(
                handle: &Handle,
                offset: u64,
                change: Change,
                value: Self,
            ) -> Result<Self, Error> {
                handle.word(offset, size_of::<Self>(), Need::Change, |state| {
                    Page::map(&state.file, offset, true)?.change(change, value)
                })
            }

            fn compare_exchange(
                handle: &Handle,
                offset: u64,
                current: Self,
                new: Self,
            ) -> Result<Self, Error> {
                handle.word(offset, size_of::<Self>(), Need::Change, |state| {
                    Page::map(&state.file, offset, true)?.compare_exchange(current, new)
                })
            }
        }
    };
}

word!(u32);
word!(u64);
