//! Files of an index, mapped by `memmap2`: what `tantivy` has in its `MmapDirectory`, for an index that is
//! made once and then only read.

use memmap2::Mmap;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, TerminatingWrite,
    WatchCallback, WatchHandle, WritePtr,
};

/// A directory of the file system.
#[derive(Clone, Debug)]
pub(crate) struct Mapped(pub(crate) PathBuf);

impl Directory for Mapped {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let file = File::open(self.0.join(path)).map_err(|error| unread(error, path))?;
        // SAFETY: files of an index are made once, and never written or cut afterwards.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| unread(error, path))?;
        Ok(Arc::new(OwnedBytes::new(map)))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        fs::remove_file(self.0.join(path)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => DeleteError::FileDoesNotExist(path.into()),
            _ => DeleteError::IoError { io_error: Arc::new(error), filepath: path.into() },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.0.join(path).try_exists().map_err(|error| unread(error, path))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = File::create_new(self.0.join(path)).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.into()),
            _ => OpenWriteError::wrap_io_error(error, path.into()),
        })?;
        Ok(BufWriter::new(Box::new(Written(file))))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        fs::read(self.0.join(path)).map_err(|error| unread(error, path))
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let path = self.0.join(path);
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(data)?;
        file.sync_data()?;
        fs::rename(new, path)
    }

    fn sync_directory(&self) -> io::Result<()> {
        // Whoever makes an index anew after a crash needs none of the names.
        Ok(())
    }

    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, LockError> {
        // Nobody deletes files of an index that is made once, and a directory may be there for reading.
        Ok(Box::new(()).into())
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

fn unread(error: io::Error, path: &Path) -> OpenReadError {
    match error.kind() {
        ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.into()),
        _ => OpenReadError::wrap_io_error(error, path.into()),
    }
}

/// A file that is on the device once it ends.
struct Written(File);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl TerminatingWrite for Written {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.0.sync_data()
    }
}
