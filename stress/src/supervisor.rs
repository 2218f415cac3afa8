//! The process that stays whatever happens: starts the guests' process and says how it ended.

use crate::appender;
use crate::vandal::{FILE, contents};
use crate::windows::cutter;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How much longer than asked for the guests' process may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(180);

/// Makes the file, runs the guests, and tells whether all went well.
pub(crate) fn run(seconds: u64, seed: u64, parent: Option<&Path>) -> Result<bool> {
    let directory = match parent {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    }
    .context("cannot make a directory")?;
    fs::write(directory.path().join(FILE), contents())?;
    appender::make(directory.path())?;
    cutter::make(directory.path())?;
    println!("stress: {seconds} s in {}, --seed {seed}", directory.path().display());

    let mut child = Command::new(std::env::current_exe()?)
        .args(["--seconds", &seconds.to_string(), "--seed", &seed.to_string(), "guests"])
        .arg(directory.path())
        .spawn()?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if start.elapsed() > Duration::from_secs(seconds) + PATIENCE => {
                child.kill()?;
                child.wait()?;
                break None;
            }
            None => sleep(Duration::from_millis(20)),
        }
    };
    let verdict = match status {
        None => "hangs".to_owned(),
        Some(status) if status.success() => "no crash, no wrong byte, nothing left".to_owned(),
        Some(status) => match status.signal() {
            Some(signal) => format!("FOUND: the process died of signal {signal}"),
            None => format!("FOUND: see above ({status})"),
        },
    };
    println!("stress: {verdict}");
    Ok(status.is_some_and(|status| status.success()))
}
