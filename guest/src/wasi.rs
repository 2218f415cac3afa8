//! Mapping what is open through WASI.

use crate::error::Asked;
use crate::path::GuestPath;
use crate::{Error, ErrorKind, Mapping, OpenOptions, sys};
use std::fs::File;
use std::os::fd::AsFd;

impl OpenOptions {
    /// Maps all of the file that a descriptor of WASI's stands for. The mapping keeps the file:
    /// the descriptor may be dropped afterwards.
    ///
    /// What may be done is what the descriptor allows; the directories that the host granted for
    /// [`open`](OpenOptions::open) don't matter. The host has to provide the interface
    /// `iommap:wasi`.
    ///
    /// # Errors
    ///
    /// - [`Badarg`](ErrorKind::Badarg): neither `read` nor `write`; `create`, `create_new` or
    ///   `truncate`, which say how a file is to be opened; a `size` beyond the end without `write`.
    /// - [`Eacces`](ErrorKind::Eacces): the descriptor is not open for reading, which every mapping
    ///   needs, or not for the writing that is asked for.
    /// - [`Enotreg`](ErrorKind::Enotreg): a directory, or another thing that is no regular file.
    /// - And what [`open`](OpenOptions::open) says of a file once it is open.
    #[cfg(target_arch = "wasm32")]
    pub fn map_descriptor(
        &self,
        file: &wasip2::filesystem::types::Descriptor,
    ) -> Result<Mapping, Error> {
        sys::Handle::map(file, self).map(|handle| Mapping::from_handle(handle, None))
    }

    /// Maps all of a file that `std` or the C library has open. The mapping keeps the file: `file` may
    /// be closed afterwards, and what became of its path doesn't matter.
    ///
    /// Neither tells by which descriptor WASI knows a file. The host looks for it among those that
    /// the guest has open, which it has to provide the interface `iommap:wasi/open-files` for.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("index");
    /// # std::fs::write(&path, b"head, body and tail")?;
    /// use iommap_guest::Mapping;
    /// use std::fs::{self, File};
    ///
    /// let file = File::open(&path)?;
    /// fs::remove_file(&path)?;
    /// let mapping = Mapping::options().read(true).map_open(&file)?;
    /// assert_eq!(mapping.len()?, 19);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Enoent`](ErrorKind::Enoent): the host finds no such file.
    /// - And those of a descriptor that is mapped.
    pub fn map_open(&self, file: impl AsFd) -> Result<Mapping, Error> {
        let mapped = || {
            if self.create || self.create_new || self.truncate {
                return Err(ErrorKind::Badarg.into());
            }
            sys::Handle::map_open(file.as_fd(), self)
        };
        match mapped() {
            Ok(handle) => Ok(Mapping::from_handle(handle, None)),
            Err(error) => Err(error.when(Asked::Open, None)),
        }
    }

    /// Maps all of a file that `std` has open, and that was opened by `path`. The mapping keeps the
    /// file: `file` may be closed afterwards.
    ///
    /// The path is needed because `std` does not tell by which descriptor WASI knows a file. So it
    /// is opened once more, through WASI, and it is made sure that it is the very file that `file`
    /// is: it is an error if the path leads to another one by now.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("index");
    /// # std::fs::write(&path, b"head, body and tail")?;
    /// use iommap_guest::Mapping;
    /// use std::fs::File;
    ///
    /// let file = File::open(&path)?;
    /// let mapping = Mapping::options().read(true).map_file(&file, &path)?;
    /// drop(file);
    /// assert_eq!(mapping.len()?, 19);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Other`](ErrorKind::Other): the path leads to another file than `file`.
    /// - [`Enoent`](ErrorKind::Enoent): the path leads nowhere any more.
    /// - [`Eacces`](ErrorKind::Eacces): WASI's grants don't allow what is asked for.
    /// - And those of a descriptor that is mapped.
    pub fn map_file(&self, file: &File, path: impl GuestPath) -> Result<Mapping, Error> {
        let path = path.to_guest()?;
        let mapped = || {
            if self.create || self.create_new || self.truncate {
                return Err(ErrorKind::Badarg.into());
            }
            sys::Handle::map_again(file, path, self)?.ok_or_else(another)
        };
        match mapped() {
            Ok(handle) => Ok(Mapping::from_handle(handle, Some(path))),
            Err(error) => Err(error.when(Asked::Open, Some(&path.into()))),
        }
    }
}

fn another() -> Error {
    Error::other(Some("the path leads to another file than the one that is open".into()))
}
