//! Another process that cuts a file between pages and restores it, so that there is never a zero in
//! it: whoever sees one sees a page that was lost.

use crate::vandal::end_with_parent;
use anyhow::{Result, ensure};
use fastrand::Rng;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// The file's name.
pub(crate) const FILE: &str = "strict";

/// How many pages it has when it is whole.
pub(crate) const PAGES: u64 = 512;

const PAGE: u64 = 4096;

fn contents() -> Vec<u8> {
    let mut bytes = vec![0; (PAGES * PAGE) as usize];
    iommap_pattern::fill(&mut bytes, 0, 0);
    bytes
}

/// Makes the file.
pub(crate) fn make(directory: &Path) -> Result<()> {
    Ok(fs::write(directory.join(FILE), contents())?)
}

/// Goes on until the parent ends. It is the only one that changes the file's length.
pub(crate) fn run(directory: &Path, seed: u64) -> Result<()> {
    end_with_parent()?;
    let mut random = Rng::with_seed(seed ^ 1 << 51);
    let (path, new) = (directory.join(FILE), directory.join("new-strict"));
    let contents = contents();
    let open = || OpenOptions::new().read(true).write(true).open(&path);
    let mut file = open()?;
    loop {
        match random.u64(..1000) {
            0..=914 => cut_and_restore(&file, &contents, &mut random)?,
            // Others' bytes, which are no less right.
            915..=994 => rewrite(&file, &contents, &mut random)?,
            _ => {
                fs::write(&new, &contents)?;
                fs::rename(&new, &path)?;
                file = open()?;
            }
        }
        sleep(Duration::from_micros(random.u64(..500)));
    }
}

/// Leaves the file short for a moment. Its end comes back as whole pages, or not at all.
fn cut_and_restore(file: &File, contents: &[u8], random: &mut Rng) -> Result<()> {
    let whole = contents.len() as u64;
    ensure!(file.metadata()?.len() == whole, "FOUND: somebody else has changed the file's length");
    // Short and for long, as far as these go: as long as it is, whatever is moved there is lost again.
    let length = PAGE * random.u64(..PAGES).min(random.u64(..PAGES)).min(random.u64(..PAGES));
    file.set_len(length)?;
    sleep(Duration::from_micros(1000 + random.u64(..11_000)));
    Ok(file.write_all_at(&contents[length as usize..], length)?)
}

fn rewrite(file: &File, contents: &[u8], random: &mut Rng) -> Result<()> {
    let start = random.usize(..contents.len());
    let length = 1 + random.usize(..contents.len() - start);
    Ok(file.write_all_at(&contents[start..start + length], start as u64)?)
}

/// What is wrong with the file itself, once nobody writes to it any more.
pub(crate) fn wrong(directory: &Path) -> Result<Option<String>> {
    let bytes = fs::read(directory.join(FILE))?;
    let shared = (1 << (iommap_pattern::GENERATIONS - 1)) - 1;
    let wrong = iommap_pattern::wrong(&bytes, 0, shared);
    let wrong = wrong.map(|(first, count)| format!("{count} in {FILE} itself, from {first} on"));
    let zero = bytes.iter().position(|byte| *byte == 0);
    Ok(wrong.or(zero.map(|first| format!("a zero in {FILE} itself, at {first}"))))
}
