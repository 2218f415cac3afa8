//! What has become of a mapping's file since it was mapped, and reads that take it into account.
//!
//! | file | what is in it |
//! |---|---|
//! | `state` | what there is to be told of a file |
//! | `reads` | reads that end where the mapping does, and such as the file's end makes fail |
//! | `waiting` | waiting for a change, step by step |
//! | `watch` | who is told by the system that a file may have changed |
//!
//! What a path names is asked of whoever has the grants: a mapping knows its path, and no directory.

mod native;
mod reads;
mod state;
mod waiting;
mod watch;

pub use state::FileState;
pub(crate) use state::{AtPath, at_path};
pub(crate) use waiting::{Changed, Next, WaitForChange};

use super::mapped::{Mapped, Open};
use super::options::OpenOptions;
use super::platform;
use crate::error::{Error, ErrorKind};
use std::fs::File;
use std::sync::Arc;

/// What a mapping keeps for questions about its file.
#[derive(Debug)]
pub(super) struct Followed {
    file: Arc<File>,
    /// When it was last modified, as it was mapped.
    modified_at: u64,
    /// How it may be mapped anew, if it was opened by a path.
    again: Option<OpenOptions>,
}

impl Followed {
    /// From now on. What changes before this is what the mapping shows first.
    pub(super) fn new(file: Arc<File>, again: Option<OpenOptions>) -> Result<Followed, Error> {
        let modified_at = state::modified_at(&file.metadata()?);
        let again = again.map(OpenOptions::again);
        Ok(Followed { file, modified_at, again })
    }
}

impl Open {
    /// The file, if the mapping has kept it for whatever purpose.
    pub(super) fn known_file(&self) -> Result<&Arc<File>, Error> {
        let followed = self.followed.as_ref().map(|followed| &followed.file);
        let file =
            followed.or(self.file.as_ref()).or(self.lockable.as_ref()).or(self.kept.as_ref());
        file.ok_or_else(not_kept)
    }
}

impl Mapped {
    /// How long the file is now.
    pub(crate) fn file_len(&self) -> Result<u64, Error> {
        Ok(platform::length_of(self.opened()?.known_file()?)?)
    }

    /// What has become of the file. `at_path` tells what its path names now.
    pub(crate) fn state(
        &self,
        at_path: impl FnOnce() -> Result<AtPath, Error>,
    ) -> Result<FileState, Error> {
        let open = self.opened()?;
        let followed = open.followed.as_ref().ok_or_else(not_kept)?;
        let at_path = if followed.again.is_some() { at_path()? } else { AtPath::Unknown };
        FileState::of(open, followed, &at_path)
    }

    /// How what the mapping's path names now may be mapped.
    pub(crate) fn again(&self) -> Result<OpenOptions, Error> {
        let followed = self.opened()?.followed.as_ref().ok_or_else(not_kept)?;
        followed.again.ok_or_else(|| {
            Error::because(ErrorKind::Enotsup, "the mapping was not opened by a path")
        })
    }

    /// Is it lent by this mapping, as that is now?
    pub(crate) fn is_lent_by(&self, lender: &super::Mapping) -> AtPath {
        let lender = lender.shared();
        match (self.opened(), lender.opened()) {
            (_, Err(_)) => AtPath::Nothing,
            (Ok(open), Ok(lender)) if open.region.is(&lender.region) => AtPath::Same,
            _ => AtPath::Another,
        }
    }
}

#[cold]
fn not_kept() -> Error {
    Error::because(ErrorKind::Enotsup, "the mapping has not kept its file: watches is 0")
}
