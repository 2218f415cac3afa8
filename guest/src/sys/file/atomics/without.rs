//! A system without guarded words.

use crate::atomics::{Change, Waited};
use crate::{Error, ErrorKind};
use core::convert::Infallible;
use std::fs::File;
use std::time::Duration;

/// There is none.
pub(super) struct Page(Infallible);

impl Page {
    pub(super) fn map(_: &File, _: u64, _: bool) -> Result<Page, Error> {
        Err(ErrorKind::Enotsup.into())
    }

    pub(super) fn load<W>(&self) -> Result<W, Error> {
        match self.0 {}
    }

    pub(super) fn store<W>(&self, _: W) -> Result<(), Error> {
        match self.0 {}
    }

    pub(super) fn change<W>(&self, _: Change, _: W) -> Result<W, Error> {
        match self.0 {}
    }

    pub(super) fn compare_exchange<W>(&self, _: W, _: W) -> Result<W, Error> {
        match self.0 {}
    }

    pub(super) fn wait(&self, _: u32, _: Option<Duration>) -> Result<Waited, Error> {
        match self.0 {}
    }

    pub(super) fn notify(&self, _: u32) -> Result<u32, Error> {
        match self.0 {}
    }
}
