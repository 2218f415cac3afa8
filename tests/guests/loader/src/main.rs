//! `loader FILE CODE`: for each line of the standard input, adds up the file's bytes and prints the sum.
//! It maps the file once, asks nobody whether a page was lost, and ends with the exit code.

use iommap_guest::Mapping;
use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (file, code) = args.next().zip(args.next()).ok_or("usage: loader FILE CODE")?;
    let file = Mapping::open(&file)?;
    let window = file.window(0..file.len()?)?;
    for line in std::io::stdin().lines() {
        line?;
        // SAFETY: what it is for: the file is cut meanwhile, and no value of a byte is wrong. Each
        // line's slice is one of its own.
        let bytes = black_box(unsafe { window.as_slice() });
        println!("{}", bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>());
    }
    Ok(code.parse::<u8>()?.into())
}
