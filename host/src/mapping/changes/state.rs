//! What there is to be told of a file.

use super::Followed;
use crate::error::{Error, ErrorKind};
use crate::mapping::lookup::{self, Place};
use crate::mapping::mapped::Open;
use cap_std::fs::Dir;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A mapping's file at some moment, and in what it is not what it was when it was mapped.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # std::fs::write(dir.path().join("index"), "entries")?;
/// use iommap::{FsPerms, Grants, Limits, OpenOptions, Usage};
/// let mut grants = Grants::default();
/// grants.preopened_dir(dir.path(), "/data", FsPerms::ReadOnly)?;
/// let mut limits = Limits::default();
/// limits.watches = 1;
/// let usage = Usage::new(limits);
/// let index = grants.open(&usage, "/data/index", &OpenOptions::new().read(true))?;
///
/// std::fs::write(dir.path().join("new"), "more entries")?;
/// std::fs::rename(dir.path().join("new"), dir.path().join("index"))?;
/// let state = grants.changed(&index)?;
/// assert!(state.replaced && !state.shorter);
/// assert_eq!(grants.remap(&index)?.len()?, 12);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileState {
    /// Its length in bytes.
    pub length: u64,
    /// When it was last modified, in nanoseconds since 1970.
    pub modified_at: u64,
    /// It ends in front of the mapping's end.
    pub shorter: bool,
    /// It ends behind the mapping's end.
    pub longer: bool,
    /// The time of its last modification is another.
    pub modified: bool,
    /// Its path names something else.
    pub replaced: bool,
    /// Its path names nothing, or nothing that lies inside the grant.
    pub gone: bool,
}

impl FileState {
    pub(super) fn of(
        open: &Open,
        followed: &Followed,
        at_path: &AtPath,
    ) -> Result<FileState, Error> {
        let stat = followed.file.metadata()?;
        let (length, modified_at) = (stat.len(), modified_at(&stat));
        Ok(FileState {
            length,
            modified_at,
            shorter: length < open.region.len(),
            longer: length > open.region.len(),
            modified: modified_at != followed.modified_at,
            replaced: match at_path {
                AtPath::File(number) => *number != (stat.dev(), stat.ino()),
                AtPath::Another => true,
                AtPath::Unknown | AtPath::Same | AtPath::Nothing => false,
            },
            gone: matches!(at_path, AtPath::Nothing),
        })
    }
}

/// What a path names.
#[derive(Debug)]
pub(crate) enum AtPath {
    /// There is no path, or nobody may look there.
    Unknown,
    /// A regular file, by its device and number.
    File((u64, u64)),
    /// What the mapping has.
    Same,
    /// Something else, whatever that is.
    Another,
    /// Nothing that could be opened.
    Nothing,
}

/// What a path beneath a directory names, by the way that a file is opened.
pub(crate) fn at_path(dir: &Dir, path: &str) -> Result<AtPath, Error> {
    match lookup::number(Place::Beneath(dir, Path::new(path))) {
        Ok(Some(number)) => Ok(AtPath::File(number)),
        Ok(None) => Ok(AtPath::Another),
        Err(error) => {
            let error = Error::from(error);
            match error.kind() {
                // What is outside the grant is not there.
                ErrorKind::Enoent | ErrorKind::Eacces | ErrorKind::Badarg => Ok(AtPath::Nothing),
                _ => Err(error),
            }
        }
    }
}

/// In nanoseconds since 1970, as far as 64 bits go.
pub(super) fn modified_at(stat: &Metadata) -> u64 {
    let (seconds, more) = (u64::try_from(stat.mtime()), u64::try_from(stat.mtime_nsec()));
    seconds.map_or(0, |seconds| {
        seconds.saturating_mul(1_000_000_000).saturating_add(more.unwrap_or(0))
    })
}
