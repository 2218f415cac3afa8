//! Waits until somebody rings, be it in another process: by a word of a mapped file.

use iommap_guest::{Error, Mapping, Waited};
use std::env::args;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
Usage: bell wait FILE [SECONDS]
       bell ring FILE

The first word of FILE counts how often it rang. Whoever waits goes on when it rings, or after SECONDS.";

fn main() -> ExitCode {
    let arguments: Vec<String> = args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let seconds = |text: &str| text.parse().ok().map(Duration::from_secs);
    let done = match *arguments {
        ["ring", path] => ring(path),
        ["wait", path] => wait(path, None),
        ["wait", path, text] if seconds(text).is_some() => wait(path, seconds(text)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bell: {error}");
            ExitCode::FAILURE
        }
    }
}

fn open(path: &str) -> Result<Mapping, Error> {
    Mapping::options().read(true).write(true).create(true).size(4).open(path)
}

/// The word is changed first: who is about to wait finds another than it knew, and doesn't.
fn ring(path: &str) -> Result<ExitCode, Error> {
    let bell = open(path)?;
    let times = bell.atomic_u32(0).fetch_add(1)?.wrapping_add(1);
    let woken = bell.atomic_u32(0).notify(u32::MAX)?;
    println!("rang, {times} times so far, and woke {woken}");
    Ok(ExitCode::SUCCESS)
}

fn wait(path: &str, time: Option<Duration>) -> Result<ExitCode, Error> {
    let bell = open(path)?;
    let end = time.and_then(|time| Instant::now().checked_add(time));
    let before = bell.atomic_u32(0).load()?;
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let waited = bell.atomic_u32(0).wait(before, left)?;
        // To be woken is a reason to look, and no more.
        let now = bell.atomic_u32(0).load()?;
        if now != before {
            println!("it rang, {now} times so far");
            return Ok(ExitCode::SUCCESS);
        }
        if waited == Waited::TimedOut {
            eprintln!("bell: it did not ring");
            return Ok(ExitCode::FAILURE);
        }
    }
}
