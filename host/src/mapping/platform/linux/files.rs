//! What Linux's file systems are like, and what a file has bytes for.

use crate::error::Error;
use rustix::fs::{Mode, OFlags, SeekFrom, fstatfs, open, seek};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::os::fd::AsRawFd;

/// hugetlbfs, whose files are mapped in pages of their own size.
const HUGETLBFS: i64 = 0x9584_58f6;

/// File systems that keep a file's bytes where its identity is (device, number and time of
/// creation), by the number that `fstatfs` gives and their magic in `linux/magic.h`.
///
/// Not among them: overlayfs, which keeps the identity of a file that it copies up while the bytes
/// move; NFS, SMB, 9p and FUSE, whose servers decide what a number means; and all that nobody has
/// looked at yet.
const KEEP_IDENTITY: [i64; 9] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs: a subvolume has a device of its own
    0x0102_1994, // tmpfs, and memory files
    0x8584_58f6, // ramfs
    0xf2f5_2010, // F2FS
    0x7371_7368, // SquashFS
    0xe0f5_e1e2, // EROFS
    0x2fc1_2fc1, // ZFS
];

/// Do two files of the same identity have the same bytes here?
pub(crate) fn keeps_identity(file: &File) -> bool {
    kind(file).is_some_and(|kind| KEEP_IDENTITY.contains(&kind))
}

/// File systems whose locks are this kernel's alone to grant. Another one may have to ask a server, and wait
/// for its answer.
const OWN_LOCKS: [i64; 5] = [
    0x794c_7630, // overlayfs: a file of its own, whatever is below
    0x4d44,      // FAT
    0x2011_bab0, // exFAT
    0xca45_1a4e, // bcachefs
    HUGETLBFS,
];

/// Does nobody but this kernel grant locks on a file? It is asked of the file's system, and never changes.
pub(crate) fn has_own_locks(file: &File) -> bool {
    kind(file).is_some_and(|kind| KEEP_IDENTITY.contains(&kind) || OWN_LOCKS.contains(&kind))
}

/// The size of the pages that a file is mapped in, where it is not the system's.
pub(crate) fn page_size_of(file: &File) -> Option<usize> {
    let stat = fstatfs(file).ok()?;
    (widen(stat.f_type) == HUGETLBFS).then(|| usize::try_from(stat.f_bsize).ok())?
}

fn kind(file: &File) -> Option<i64> {
    Some(widen(fstatfs(file).ok()?.f_type))
}

/// The number has 32 bits, signed or not, or 64, depending on the processor.
fn widen(kind: impl TryInto<i64>) -> i64 {
    kind.try_into().unwrap_or(0) & 0xffff_ffff
}

/// The same file with an open file description of its own. It waits for nobody: who has a lease that
/// this would break has been asked for it when the file was opened first.
pub(crate) fn reopen(file: &File, writable: bool) -> Result<File, Error> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = access | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    Ok(retry_on_intr(|| open(&*path, flags, Mode::empty()))?.into())
}

/// Calls `each` with the ranges of a file's first `length` bytes that it has bytes for: its holes
/// are left out, where the file system can tell.
pub(crate) fn for_each_extent(file: &File, length: u64, mut each: impl FnMut(u64, u64)) {
    // A position of our own: the descriptor's may be in use.
    let Ok(file) = reopen(file, false) else { return each(0, length) };
    let mut at = 0;
    while at < length {
        let start = match seek(&file, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing but a hole to the end.
            Err(Errno::NXIO) => return,
            Err(_) => return each(at, length - at),
        };
        let end = seek(&file, SeekFrom::Hole(start)).unwrap_or(length).min(length);
        // Where somebody changes the file meanwhile, no progress is certain.
        if start >= end {
            return;
        }
        each(start, end - start);
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn holes_are_left_out() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        let mut extents = Vec::new();
        for_each_extent(&file, 1 << 20, |offset, length| extents.push((offset, length)));
        if extents == [(0, 1 << 20)] {
            println!("skipped: the file system knows no holes");
            return;
        }
        assert_eq!(extents, []);
        file.write_at(b"x", 512 << 10).unwrap();
        file.sync_all().unwrap();
        for_each_extent(&file, 1 << 20, |offset, length| extents.push((offset, length)));
        let [(offset, length)] = extents[..] else { panic!("{extents:?}") };
        assert!(offset <= 512 << 10 && offset + length > 512 << 10 && length <= 64 << 10);
    }
}
