//! From the interface's types to the domain's and back. No logic of its own.

use crate::bindings::types::{self, ErrorCode, OpenFlags};
use crate::ctx::{IommapCtxView, MappingHandle};
use crate::error::Error;
use crate::mapping::Mapping;
use crate::mapping::options::{AccessMode, Advice, OpenOptions, SyncMode};
use std::sync::Arc;
use wasmtime::component::Resource;

impl IommapCtxView<'_> {
    /// The mapping behind a handle. A handle that names none is a bug of the guest's runtime or
    /// of the host, and traps.
    pub(crate) fn mapping(&self, handle: &Resource<MappingHandle>) -> wasmtime::Result<&Mapping> {
        Ok(self.table.get(handle)?.held.get())
    }

    /// The same mapping, for a call that goes on without the store.
    #[cfg(feature = "async")]
    pub(crate) fn shared(
        &self,
        handle: &Resource<MappingHandle>,
    ) -> wasmtime::Result<Arc<Mapping>> {
        Ok(self.table.get(handle)?.held.share())
    }

    /// Gives the guest a handle to a mapping.
    pub(crate) fn push(&mut self, mapping: Mapping) -> wasmtime::Result<Resource<MappingHandle>> {
        Ok(self.table.push(MappingHandle::from(Arc::new(mapping)))?)
    }

    /// Takes a handle back; the mapping closes with its last user.
    pub(crate) fn drop_handle(&mut self, rep: u32) -> wasmtime::Result<()> {
        self.table.delete(Resource::<MappingHandle>::new_own(rep))?;
        Ok(())
    }
}

/// The options of an `open` as the guest gave them.
pub(crate) fn open_options(
    mode: types::AccessMode,
    flags: OpenFlags,
    size: Option<u64>,
) -> OpenOptions {
    OpenOptions {
        access: match mode {
            types::AccessMode::Read => AccessMode::Read,
            types::AccessMode::Write => AccessMode::Write,
            types::AccessMode::ReadWrite => AccessMode::ReadWrite,
        },
        shared: flags.contains(OpenFlags::SHARED),
        private: flags.contains(OpenFlags::PRIVATE),
        lock: flags.contains(OpenFlags::LOCK),
        populate: flags.contains(OpenFlags::POPULATE),
        nocache: flags.contains(OpenFlags::NOCACHE),
        create: flags.contains(OpenFlags::CREATE),
        truncate: flags.contains(OpenFlags::TRUNCATE),
        exclusive: flags.contains(OpenFlags::EXCLUSIVE),
        size,
    }
}

impl From<types::SyncMode> for SyncMode {
    fn from(mode: types::SyncMode) -> SyncMode {
        match mode {
            types::SyncMode::Sync => SyncMode::Sync,
            types::SyncMode::Async => SyncMode::Async,
        }
    }
}

impl From<types::Advice> for Advice {
    fn from(hint: types::Advice) -> Advice {
        match hint {
            types::Advice::Normal => Advice::Normal,
            types::Advice::Random => Advice::Random,
            types::Advice::Sequential => Advice::Sequential,
            types::Advice::Willneed => Advice::WillNeed,
            types::Advice::Dontneed => Advice::DontNeed,
        }
    }
}

impl From<Error> for ErrorCode {
    fn from(error: Error) -> ErrorCode {
        match error {
            Error::BadArg => ErrorCode::Badarg,
            Error::NoMem => ErrorCode::Enomem,
            Error::NoEnt => ErrorCode::Enoent,
            Error::Acces => ErrorCode::Eacces,
            Error::Closed => ErrorCode::Closed,
            Error::OutOfBounds => ErrorCode::OutOfBounds,
            Error::SigBus => ErrorCode::Sigbus,
            Error::Exist => ErrorCode::Eexist,
            Error::NotReg => ErrorCode::Enotreg,
            Error::NoSpc => ErrorCode::Enospc,
            Error::FBig => ErrorCode::Efbig,
            Error::MFile => ErrorCode::Emfile,
            Error::LimitExceeded => ErrorCode::LimitExceeded,
            Error::NotSup => ErrorCode::Enotsup,
            Error::Io => ErrorCode::Eio,
            Error::Other(words) => ErrorCode::Other(words),
        }
    }
}
