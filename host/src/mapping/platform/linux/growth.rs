//! How a file grows: its length is only ever raised, and nothing is written over.

use super::super::length::{check_growth, length_of, max_length, set_len, without_signal};
use super::space::fallocate;
use crate::error::{Error, ErrorKind};
use rustix::fs::{FallocateFlags, fstatvfs};
use rustix::io::{Errno, ReadWriteFlags, pwritev2, retry_on_intr};
use std::fs::File;
use std::io::IoSlice;

/// Makes a file at least `to` bytes long, with every block behind its end allocated, so that a
/// full disk is an error now and not a signal later.
///
/// `fallocate` in its plain mode raises a length and never lowers one, whatever others do
/// meanwhile. Where it fails halfway the file stays as long as it has become, since others may
/// have written there; so that this is rare, the disk is asked for room first. A file system that
/// can't allocate gets zeros appended, at wherever the end is then.
pub(crate) fn raise(file: &File, to: u64) -> Result<(), Error> {
    let from = length_of(file)?;
    if from >= to {
        return Ok(());
    }
    check_growth(file, to)?;
    check_room(file, to - from)?;
    let plain = FallocateFlags::empty();
    match fallocate(file, plain, from, to - from) {
        Err(Errno::NOTSUP | Errno::NOSYS) => append_zeros(file, to),
        other => Ok(other?),
    }
}

/// Has the disk room for so many more bytes? Where it doesn't say, it has.
fn check_room(file: &File, more: u64) -> Result<(), Error> {
    let Ok(stat) = fstatvfs(file) else { return Ok(()) };
    // A part is kept for the superuser.
    let blocks = if rustix::process::geteuid().is_root() { stat.f_bfree } else { stat.f_bavail };
    if stat.f_blocks > 0 && stat.f_frsize > 0 && blocks < more.div_ceil(stat.f_frsize) {
        return Err(Errno::NOSPC.into());
    }
    Ok(())
}

fn append_zeros(file: &File, to: u64) -> Result<(), Error> {
    let zeros = vec![0; 1 << 20];
    loop {
        let more = to.saturating_sub(length_of(file)?);
        if more == 0 {
            return Ok(());
        }
        let piece = [IoSlice::new(&zeros[..zeros.len().min(more as usize)])];
        let append = || pwritev2(file, &piece, 0, ReadWriteFlags::APPEND);
        match without_signal(|| retry_on_intr(append)) {
            Ok(0) => return Err(Errno::NOSPC.into()),
            Ok(_) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                let reason = "the file system can neither allocate nor append";
                return Err(Error::because(ErrorKind::Enotsup, reason));
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Empties a file that has `old` bytes, and makes it `length` bytes long, all of them zero and
/// allocated.
///
/// What may fail for want of space comes first, while the old contents still stand: a failure
/// there changes nothing. Then the bytes are zeroed in place, which keeps the blocks; a file
/// system that can't is emptied and allocated anew, from the space that this has freed.
pub(crate) fn empty(file: &File, old: u64, length: u64) -> Result<(), Error> {
    if length > 0 {
        check_growth(file, length)?;
        check_room(file, length.saturating_sub(length_of(file)?))?;
        let keep = FallocateFlags::KEEP_SIZE;
        match fallocate(file, keep, 0, length) {
            Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS) => {}
            Err(errno) => return Err(errno.into()),
        }
        let zero = FallocateFlags::ZERO_RANGE;
        if fallocate(file, zero, 0, length).is_ok() {
            // Emptying takes what stood behind as well; what others have added since goes with it,
            // as with O_TRUNC.
            return if old > length { Ok(set_len(file, length)?) } else { Ok(()) };
        }
    }
    if length > max_length() {
        return Err(ErrorKind::Efbig.into());
    }
    set_len(file, 0)?;
    raise(file, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn what_others_have_added_since_stays() {
        let file = tempfile::tempfile().unwrap();
        raise(&file, 100).unwrap();
        file.write_at(b"theirs", 100).unwrap();
        raise(&file, 50).unwrap();
        raise(&file, 102).unwrap();
        assert_eq!(length_of(&file), Ok(106));
        raise(&file, 4096).unwrap();
        let mut bytes = [1; 4096];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes[100..106], b"theirs");
        assert!(bytes[..100].iter().chain(&bytes[106..]).all(|byte| *byte == 0));
    }

    #[test]
    fn zeros_are_appended_where_nothing_can_be_allocated() {
        let file = tempfile::tempfile().unwrap();
        file.write_at(b"old", 0).unwrap();
        match append_zeros(&file, (1 << 20) + 7) {
            Err(error) if error == ErrorKind::Enotsup => {
                println!("skipped: pwritev2 takes no RWF_APPEND here");
                return;
            }
            done => done.unwrap(),
        }
        assert_eq!(length_of(&file), Ok((1 << 20) + 7));
        append_zeros(&file, 5).unwrap();
        assert_eq!(length_of(&file), Ok((1 << 20) + 7));
        let mut start = [1; 5];
        file.read_exact_at(&mut start, 0).unwrap();
        assert_eq!(&start, b"old\0\0");
    }

    #[test]
    fn an_emptied_file_has_its_length_and_zeros() {
        for (old, length) in [(8, 5), (8, 0), (8, 20), (0, 3)] {
            let file = tempfile::tempfile().unwrap();
            file.write_at(&vec![1; old], 0).unwrap();
            empty(&file, old as u64, length).unwrap();
            assert_eq!(length_of(&file), Ok(length), "{old} to {length}");
            let mut bytes = vec![1; length as usize];
            file.read_exact_at(&mut bytes, 0).unwrap();
            assert!(bytes.iter().all(|byte| *byte == 0));
        }
    }
}
