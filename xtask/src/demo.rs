//! `cargo xtask demo`: what only this project does, in about ten seconds.
//!
//! The sample guest `search`, with 16 MiB of memory, looks through a file of 6 GiB. Then the file is
//! cut while it looks, and the guest says so and ends as it chooses. Last it reads a part of it both
//! ways, mapped and by `wasi:filesystem`.

use crate::run::{program, say};
use anyhow::{Context, Result, ensure};
use iommap_artifacts::{Guest, Toolchain, target_dir};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::ops::RangeBounds;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

const LENGTH: u64 = 6 << 30;
/// What both ways to read are compared on.
const LEFT: u64 = 1 << 30;

/// Builds what the demo runs and no more, and shows it.
pub(crate) fn run() -> Result<()> {
    let search = Search::build()?;
    let dir = target_dir().join("demo");
    fs::create_dir_all(&dir)?;
    let path = dir.join("big");
    let file = make(&path)?;

    say("a file of 6 GiB, and a guest with 16 MiB of memory:\n");
    let start = Instant::now();
    ended(shown(&mut search.command(&path, &["needle"])?).status()?, 0..1)?;
    let seconds = start.elapsed().as_secs_f64();
    eprintln!();
    say(format_args!("that was {:.1} GB/s", LENGTH as f64 / 1e9 / seconds));

    say("once more, and after its first step the file is cut to a half:\n");
    let mut command = search.command(&path, &["--step", "needle"])?;
    let mut child = shown(&mut command).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut waits = child.stdin.take();
    for line in BufReader::new(child.stderr.take().context("it has no output")?).lines() {
        eprintln!("{}", line?);
        // It reads a line before each step; without an input it goes on.
        if waits.take().is_some() {
            file.set_len(LENGTH / 2)?;
        }
    }
    ended(child.wait()?, 2..)?;
    eprintln!();
    say("the guest was told, said so and chose its own exit code: no signal, no trap");

    file.set_len(LEFT)?;
    let seconds = |options: &[&str]| -> Result<f64> {
        let start = Instant::now();
        let mut command = search.command(&path, options)?;
        ended(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?, 0..1)?;
        Ok(start.elapsed().as_secs_f64())
    };
    let (mapped, wasi) = (seconds(&["needle"])?, seconds(&["--wasi", "needle"])?);
    say(format_args!(
        "1 GiB: {mapped:.1} s mapped, {wasi:.1} s by wasi:filesystem ({:.1} times as long)",
        wasi / mapped
    ));
    fs::remove_dir_all(&dir)?;
    say("next: `cargo xtask demo FILE PATTERN` with a file of your own, `cargo xtask test`");
    Ok(())
}

/// `cargo xtask demo FILE PATTERN`. Returns the guest's exit code.
pub(crate) fn search(file: &Path, pattern: &str) -> Result<u8> {
    // Before anything is built, since that may take minutes.
    let file = file.canonicalize().with_context(|| format!("no {}", file.display()))?;
    ensure!(file.is_file(), "{} is not a regular file: only those can be mapped", file.display());
    let status = shown(&mut Search::build()?.command(&file, &["--", pattern])?).status()?;
    status.code().and_then(|code| u8::try_from(code).ok()).context("a signal ended it")
}

/// Makes the file: nothing but a hole, with a line near its beginning and one at its end.
fn make(path: &Path) -> Result<File> {
    let file = File::create(path)?;
    file.set_len(LENGTH)?;
    file.write_all_at(b"\nthe first needle\n", 4096)?;
    let last = b"\nthe needle at the far end\n";
    file.write_all_at(last, LENGTH - last.len() as u64)?;
    Ok(file)
}

/// The command line and the guest.
struct Search {
    iommap: PathBuf,
    guest: Guest,
}

impl Search {
    fn build() -> Result<Search> {
        let toolchain = Toolchain::set_up()?;
        say("building the guest `search`");
        let guests = toolchain.build("guest-example", Some("search"))?;
        let guest = guests.into_iter().next().context("there is no guest `search`")?;
        say("building the command line (its first build takes some minutes)");
        Ok(Search { iommap: program("iommap")?, guest })
    }

    /// The guest on a file, which it is given through its directory.
    fn command(&self, file: &Path, args: &[&str]) -> Result<Command> {
        let (dir, name) =
            file.parent().zip(file.file_name()).context("a file is in a directory")?;
        let (dir, name) = (dir.to_str(), name.to_str());
        let (dir, name) = dir.zip(name).context("guests' paths are UTF-8: rename the file")?;
        ensure!(!dir.contains("::"), "`::` separates the parts of --dir: move the file");
        let mut command = Command::new(&self.iommap);
        command.args(["run", "--max-memory", "16M", "--dir", &format!("{dir}::/data::ro")]);
        command.arg(&self.guest.path).args(args).arg(format!("/data/{name}"));
        Ok(command)
    }
}

/// Shows a command as one would type it.
fn shown(command: &mut Command) -> &mut Command {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    eprintln!("$ {}\n", words.join(" "));
    command
}

/// A guest ends with an exit code, and not by a signal.
fn ended(status: ExitStatus, codes: impl RangeBounds<i32>) -> Result<()> {
    ensure!(status.code().is_some_and(|code| codes.contains(&code)), "it ended with {status}");
    Ok(())
}
