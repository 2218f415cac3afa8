//! What may name a file.

use crate::Error;
#[cfg(feature = "std")]
use crate::{ErrorKind, error::Asked};
use alloc::borrow::Cow;
use alloc::string::String;

/// What may name a file: `&str`, `String` and their like, and, with the feature `std`, `Path`,
/// `PathBuf`, `OsStr` and `OsString`. In a component, names are UTF-8.
///
/// It can't be implemented elsewhere.
pub trait GuestPath: sealed::Sealed {
    /// The path as the interface takes it.
    #[doc(hidden)]
    fn to_guest(&self) -> Result<&str, Error>;
}

mod sealed {
    pub trait Sealed {}
}

/// Says that a type names a file, and how.
macro_rules! names_a_file {
    ($($type:ty: |$self:ident| $path:expr;)*) => {$(
        impl sealed::Sealed for $type {}

        impl GuestPath for $type {
            fn to_guest(&self) -> Result<&str, Error> {
                let $self = self;
                $path
            }
        }
    )*};
}

names_a_file! {
    str: |path| Ok(path);
    String: |path| Ok(path);
    Cow<'_, str>: |path| Ok(path);
}

#[cfg(feature = "std")]
names_a_file! {
    std::path::Path: |path| path.to_str().ok_or_else(|| not_utf8(path.to_string_lossy()));
    std::path::PathBuf: |path| path.to_str().ok_or_else(|| not_utf8(path.to_string_lossy()));
    std::ffi::OsStr: |path| path.to_str().ok_or_else(|| not_utf8(path.to_string_lossy()));
    std::ffi::OsString: |path| path.to_str().ok_or_else(|| not_utf8(path.to_string_lossy()));
}

#[cfg(feature = "std")]
fn not_utf8(path: Cow<'_, str>) -> Error {
    Error::from(ErrorKind::Badarg).when(Asked::Open, Some(&path.into()))
}

impl<P: GuestPath + ?Sized> sealed::Sealed for &P {}

impl<P: GuestPath + ?Sized> GuestPath for &P {
    fn to_guest(&self) -> Result<&str, Error> {
        (**self).to_guest()
    }
}
