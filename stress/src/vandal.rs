//! The other processes: they cut, regrow, punch and replace the file.

use anyhow::Result;
use fastrand::Rng;
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
    end_with_parent()?;
    let mut random = Rng::with_seed(seed ^ (number + 1) << 40);
    let path = directory.join(FILE);
    let contents = contents();
    let open = || OpenOptions::new().read(true).write(true).open(&path);
    loop {
        match random.u64(..100) {
            0..=74 => cut_and_regrow(&open()?, &contents, &mut random)?,
            75..=85 => punch(&open()?, &mut random)?,
            86..=97 => rewrite(&open()?, &contents, &mut random)?,
            _ => {
                let new = directory.join(format!("new-{number}"));
                fs::write(&new, &contents)?;
                fs::rename(&new, &path)?;
            }
        }
        sleep(Duration::from_micros(random.u64(..400)));
    }
}

/// Has the kernel kill this process when its parent ends, however it does.
pub(crate) fn end_with_parent() -> Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
}

/// Leaves the file short for a moment, now and then in mid page.
fn cut_and_regrow(file: &File, contents: &[u8], random: &mut Rng) -> Result<()> {
    // Rather short: the shorter, the more is lost.
    let mut length = random.u64(..WHOLE).min(random.u64(..WHOLE));
    if random.u64(..3) != 0 {
        length -= length % 4096;
    }
    file.set_len(length)?;
    sleep(Duration::from_micros(500 + random.u64(..6000)));
    file.set_len(WHOLE)?;
    if random.u64(..2) == 0 {
        file.write_all_at(&contents[length as usize..], length)?;
    }
    Ok(())
}

fn punch(file: &File, random: &mut Rng) -> Result<()> {
    let start = random.u64(..WHOLE);
    let length = 1 + random.u64(..WHOLE - start);
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, start, length)?)
}

fn rewrite(file: &File, contents: &[u8], random: &mut Rng) -> Result<()> {
    let start = random.u64(..WHOLE);
    let length = 1 + random.u64(..WHOLE - start);
    Ok(file.write_all_at(&contents[start as usize..(start + length) as usize], start)?)
}
