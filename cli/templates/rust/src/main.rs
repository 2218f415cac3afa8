//! Counts the lines of a file and prints its last one, through a mapping.

use iommap_guest::{Mapping, Reader};
use std::error::Error;
use std::io::BufRead;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or("/data/README.md".into());
    let file = Mapping::open(&path)?;
    let len = file.len()?;

    // From front to back, with a buffer: the file may be larger than a guest's memory.
    let mut lines = 0u64;
    for line in Reader::new(&file).split(b'\n') {
        line?;
        lines += 1;
    }
    println!("{path}: {len} bytes, {lines} lines");

    // From anywhere: as many bytes as there are, into a buffer of our own.
    let mut end = [0; 1024];
    let n = file.read_at(len.saturating_sub(end.len() as u64), &mut end)?;
    let end = String::from_utf8_lossy(&end[..n]).into_owned();
    println!("the last line: {}", end.lines().last().unwrap_or_default());
    Ok(())
}
