//! A system without windows.

use crate::window::{Region, WindowOptions};
use crate::{Error, ErrorKind, Range};
use core::convert::Infallible;
use std::fs::File;

/// There are none.
pub(super) struct Pages(Infallible);

impl Pages {
    pub(super) fn map(_: &File, _: Range, _: &Region, _: WindowOptions) -> Result<Pages, Error> {
        Err(ErrorKind::Enotsup.into())
    }

    pub(super) fn move_to(&mut self, _: &File, _: Range, _: WindowOptions) -> Result<(), Error> {
        match self.0 {}
    }

    pub(super) fn lost(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn prefetch(&self, _: usize, _: usize) {
        match self.0 {}
    }

    pub(super) fn clear(&mut self) -> Result<(), Error> {
        match self.0 {}
    }
}

pub(super) fn frozen(_: &File) -> bool {
    false
}
