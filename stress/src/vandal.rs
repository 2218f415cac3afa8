//! The other processes: they cut, regrow, punch and replace the file.

use crate::Random;
use anyhow::Result;
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// The file's name.
pub(crate) const FILE: &str = "file";

/// How many pages it has when it is whole.
pub(crate) const PAGES: u64 = 192;

/// How long it is then.
pub(crate) const WHOLE: u64 = PAGES * 4096;

/// Whole contents of the generation that is everybody's.
pub(crate) fn contents() -> Vec<u8> {
    let mut bytes = vec![0; WHOLE as usize];
    iommap_pattern::fill(&mut bytes, 0, 0);
    bytes
}

/// Goes on until the parent ends, and kills this process, or is gone.
pub(crate) fn run(directory: &Path, number: u64, seed: u64) -> Result<()> {
    // SAFETY: prctl with PR_SET_PDEATHSIG takes a signal's number.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let mut random = Random::new(seed ^ (number + 1) << 40);
    let path = directory.join(FILE);
    let contents = contents();
    let open = || OpenOptions::new().read(true).write(true).open(&path);
    loop {
        match random.below(100) {
            0..=74 => cut_and_regrow(&open()?, &contents, &mut random)?,
            75..=85 => punch(&open()?, &mut random)?,
            86..=97 => rewrite(&open()?, &contents, &mut random)?,
            _ => {
                let new = directory.join(format!("new-{number}"));
                fs::write(&new, &contents)?;
                fs::rename(&new, &path)?;
            }
        }
        sleep(Duration::from_micros(random.below(400)));
    }
}

/// Leaves the file short for a moment, now and then in mid page.
fn cut_and_regrow(file: &File, contents: &[u8], random: &mut Random) -> Result<()> {
    // Rather short: the shorter, the more is lost.
    let mut length = random.below(WHOLE).min(random.below(WHOLE));
    if random.below(3) != 0 {
        length -= length % 4096;
    }
    file.set_len(length)?;
    sleep(Duration::from_micros(500 + random.below(6000)));
    file.set_len(WHOLE)?;
    if random.below(2) == 0 {
        file.write_all_at(&contents[length as usize..], length)?;
    }
    Ok(())
}

fn punch(file: &File, random: &mut Random) -> Result<()> {
    let start = random.below(WHOLE);
    let length = 1 + random.below(WHOLE - start);
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, start, length)?)
}

fn rewrite(file: &File, contents: &[u8], random: &mut Random) -> Result<()> {
    let start = random.below(WHOLE);
    let length = 1 + random.below(WHOLE - start);
    Ok(file.write_all_at(&contents[start as usize..(start + length) as usize], start)?)
}
