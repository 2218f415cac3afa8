//! Files whose bytes nobody can change any more.
//!
//! Two kinds are known to be so, whoever has them open or mapped already:
//!
//! - A memory file that is sealed against writing and cutting. The kernel seals it only while nobody
//!   has it mapped for writing.
//! - A file with fs-verity. The kernel turns it on only while nobody has the file open for writing,
//!   and nothing turns it off.
//!
//! Not among them: immutable files (`chattr +i`). Who may set the flag may also take it away again,
//! under a mapping. And on tmpfs it binds only those who open the file later: a descriptor from
//! before still writes to it and cuts it, and so does a mapping (seen on Linux 6.18; on ext4 neither
//! could).

use super::files::for_each_extent;
use super::memory;
use crate::error::Error;
use rustix::fs::{
    AtFlags, MemfdFlags, SealFlags, StatxAttributes, StatxFlags, fcntl_add_seals, fcntl_get_seals,
    statx,
};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What is sealed: the bytes, and that they are there.
const SEALED: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK);

/// So many bytes are copied at a time.
const PIECE: usize = 1 << 20;

/// Can nobody change a file's bytes any more, nor take them away?
pub(crate) fn is_frozen(file: &File) -> bool {
    if fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALED)) {
        return true;
    }
    let stat = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
    stat.is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::VERITY))
}

/// A copy of a file, as it is now, that nobody can change.
pub(crate) fn frozen_copy(file: &File) -> Result<File, Error> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let copy = memory::new(c"iommap: a frozen copy", flags)?;
    let length = file.metadata()?.len();
    copy.set_len(length)?;
    let mut buffer = vec![0; PIECE.min(length as usize)];
    let mut copied = Ok(());
    // Holes stay holes: they take no memory.
    for_each_extent(file, length, |offset, length| {
        if copied.is_ok() {
            copied = copy_range(file, &copy, offset..offset + length, &mut buffer);
        }
    });
    copied?;
    fcntl_add_seals(&copy, SEALED | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(copy)
}

/// What others cut off meanwhile stays zeros, as in a mapping of the file.
fn copy_range(
    from: &File,
    to: &File,
    range: std::ops::Range<u64>,
    buffer: &mut [u8],
) -> io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let piece = buffer.len().min((range.end - at) as usize);
        match from.read_at(&mut buffer[..piece], at) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                to.write_all_at(&buffer[..read], at)?;
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
