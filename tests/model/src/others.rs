//! Somebody else, who really does it: with handles of this process, or in another one.

use crate::decode::{RECORD, Record, bytes};
use crate::operation::{NAMES, Operation, Others};
use crate::page;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Writes the files that a sequence starts with, and returns their contents.
///
/// # Errors
///
/// The directory can't be written to.
pub fn prepare(directory: &Path) -> io::Result<[Option<Vec<u8>>; NAMES.len()]> {
    let contents = [Some(bytes(1, 5 * page() + 100)), Some(bytes(90, 3 * page())), None];
    for (name, contents) in NAMES.iter().zip(&contents) {
        match contents {
            Some(contents) => fs::write(directory.join(name), contents)?,
            None => match fs::remove_file(directory.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
    }
    Ok(contents)
}

/// Does to real files what others do.
pub trait Actor {
    /// Carries out one operation, which must be one of [`Others`].
    ///
    /// # Errors
    ///
    /// The system refuses what should be possible, or the other process is gone.
    fn act(&mut self, record: Record) -> io::Result<()>;
}

/// Somebody else in this process: opens its own handle for each operation.
#[derive(Debug)]
pub struct Handles {
    directory: PathBuf,
}

impl Handles {
    /// Acts in a directory.
    pub fn new(directory: &Path) -> Handles {
        Handles { directory: directory.to_owned() }
    }

    fn path(&self, name: usize) -> PathBuf {
        self.directory.join(NAMES[name])
    }

    fn carry_out(&self, operation: &Others) -> io::Result<()> {
        let open = |name| OpenOptions::new().write(true).open(self.path(name));
        match operation {
            Others::Write(name, at, bytes) => open(*name)?.write_all_at(bytes, *at),
            Others::SetLength(name, length) => open(*name)?.set_len(*length),
            Others::Punch(name, at, length) => punch(&open(*name)?, *at, *length),
            Others::Rename(from, to) => fs::rename(self.path(*from), self.path(*to)),
            Others::Unlink(name) => fs::remove_file(self.path(*name)),
            Others::Replace(name, contents) => {
                let new = self.directory.join("new");
                fs::write(&new, contents)?;
                fs::rename(new, self.path(*name))
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn punch(file: &File, at: u64, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, at, length)?)
}

/// Where holes can't be punched, zeros look the same.
#[cfg(not(target_os = "linux"))]
fn punch(file: &File, at: u64, length: u64) -> io::Result<()> {
    let end = (at + length).min(file.metadata()?.len());
    file.write_all_at(&vec![0; end.saturating_sub(at) as usize], at)
}

impl Actor for Handles {
    fn act(&mut self, record: Record) -> io::Result<()> {
        let Operation::Others(operation) = Operation::decode(record) else {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a guest's operation"));
        };
        match self.carry_out(&operation) {
            // Where there is no such file, there is nothing to do.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

/// Somebody else in another process, at the other end of a stream: see [`serve`].
impl<S: Read + Write> Actor for S {
    fn act(&mut self, record: Record) -> io::Result<()> {
        self.write_all(&record)?;
        let mut answer = [0];
        self.read_exact(&mut answer)?;
        if answer == *b"k" { Ok(()) } else { Err(io::Error::other("the other process failed")) }
    }
}

/// What that other process does until the stream ends.
///
/// # Errors
///
/// The stream fails.
pub fn serve(mut stream: impl Read + Write, directory: &Path) -> io::Result<()> {
    let mut handles = Handles::new(directory);
    let mut record = [0; RECORD];
    loop {
        match stream.read_exact(&mut record) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let done = handles.act(record);
        if let Err(error) = &done {
            eprintln!("{:?}: {error}", Operation::decode(record));
        }
        stream.write_all(if done.is_ok() { b"k" } else { b"x" })?;
    }
}
