//! A fuzzer for stable Rust: changes inputs at random and keeps those that bring about something
//! new, by what [`Seen`] is told. For coverage of the code there is `libfuzzer/`.
//!
//! ```sh
//! cargo run --release -p iommap-fuzz -- operations --seconds 60
//! ```
//!
//! The inputs run in a process of their own; one that crashes it, or takes longer than half a
//! minute, is a finding and stays in `fuzz/findings/`.

use anyhow::{Context, Result, bail};
use clap::Parser;
use iommap_fuzz::{Seen, TARGETS, Target};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// An input is a hang if it takes longer than this, in seconds.
const PATIENCE: u32 = 30;

/// No input is longer.
const LONGEST: usize = 800;

/// Changes inputs at random and looks for one that breaks something
#[derive(Parser)]
#[command(name = "iommap-fuzz")]
struct Cli {
    /// operations, paths or ranges
    target: String,
    /// How long to go on
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the random numbers start [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    /// Run this input alone
    #[arg(long)]
    input: Option<PathBuf>,
    #[arg(long, hide = true)]
    notes: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let Some((name, target)) = TARGETS.iter().find(|(name, _)| *name == cli.target) else {
        bail!("there is no target {:?}: operations, paths or ranges", cli.target);
    };
    if let Some(input) = &cli.input {
        let data = fs::read(input).with_context(|| format!("no {}", input.display()))?;
        target(&data, &mut Seen::default());
        return Ok(ExitCode::SUCCESS);
    }
    let seed = cli.seed.unwrap_or_else(|| {
        std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64)
    });
    match &cli.notes {
        Some(notes) => go_on(name, *target, cli.seconds, seed, notes).map(|()| ExitCode::SUCCESS),
        None => supervise(name, cli.seconds, seed),
    }
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Starts the process that runs the inputs, and keeps the input that ended it, if one did.
fn supervise(name: &str, seconds: u64, seed: u64) -> Result<ExitCode> {
    // In memory if possible: every input is written there before it runs.
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let notes = parent.join(format!("iommap-fuzz-input-{}", std::process::id()));
    let status = Command::new(std::env::current_exe()?)
        .args([name, "--seconds", &seconds.to_string(), "--seed", &seed.to_string(), "--notes"])
        .arg(&notes)
        .status()?;
    let input = fs::read(&notes);
    // Nothing is lost if it stays.
    let _ = fs::remove_file(&notes);
    if status.success() {
        return Ok(ExitCode::SUCCESS);
    }
    let findings = home().join("findings");
    fs::create_dir_all(&findings)?;
    let finding = findings.join(format!("{name}-{seed:x}"));
    fs::write(&finding, input.context("the input that broke it is lost")?)?;
    println!("FOUND: {status}; --input {}", finding.display());
    Ok(ExitCode::FAILURE)
}

fn go_on(name: &str, target: Target, seconds: u64, seed: u64, notes: &Path) -> Result<()> {
    let mut inputs = corpus(name)?;
    let mut random = Random(seed | 1);
    let mut seen = Seen::default();
    let start = Instant::now();
    let mut said = start;
    let mut executions = 0u64;
    let say = |executions: u64, inputs: usize, seen: &Seen| {
        let seconds = start.elapsed().as_secs();
        let seen = seen.count();
        println!("{name}: {executions} executions in {seconds} s, {inputs} inputs, {seen} seen");
    };
    for input in &inputs {
        run(target, input, &mut seen, notes)?;
        executions += 1;
    }
    while start.elapsed() < Duration::from_secs(seconds) {
        let mut input = inputs[random.below(inputs.len())].clone();
        for _ in 0..=random.below(4) {
            change(&mut input, &inputs, &mut random);
        }
        input.truncate(LONGEST);
        seen.anything_new();
        run(target, &input, &mut seen, notes)?;
        executions += 1;
        if seen.anything_new() {
            inputs.push(input);
        }
        if said.elapsed() > Duration::from_secs(30) {
            said = Instant::now();
            say(executions, inputs.len(), &seen);
        }
    }
    say(executions, inputs.len(), &seen);
    Ok(())
}

fn run(target: Target, input: &[u8], seen: &mut Seen, notes: &Path) -> Result<()> {
    fs::write(notes, input)?;
    // SAFETY: alarm has no preconditions; its signal ends the process, which is what is wanted.
    unsafe { libc::alarm(PATIENCE) };
    target(input, seen);
    Ok(())
}

/// The inputs to start from.
fn corpus(name: &str) -> Result<Vec<Vec<u8>>> {
    let directory = home().join("corpus").join(name);
    let mut inputs = vec![vec![0; 64]];
    for entry in fs::read_dir(&directory).with_context(|| format!("no {}", directory.display()))? {
        inputs.push(fs::read(entry?.path())?);
    }
    inputs.sort();
    Ok(inputs)
}

/// One change: of a byte, of a few, or a piece of another input.
fn change(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    // Most of what the targets take comes in pieces of eight bytes.
    let piece = at / 8 * 8;
    match random.below(8) {
        0 | 1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.below(256) as u8;
            }
        }
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        3 => input.insert(at, random.below(256) as u8),
        4 => {
            let end = (piece + 8 * (1 + random.below(4))).min(input.len());
            input.drain(piece.min(end)..end);
        }
        5 => {
            let new: Vec<u8> = (0..8).map(|_| random.below(256) as u8).collect();
            input.splice(piece..piece, new);
        }
        6 => {
            let other = &others[random.below(others.len())];
            let start = random.below(other.len() + 1) / 8 * 8;
            let end = (start + 8 * (1 + random.below(12))).min(other.len());
            input.splice(piece..piece, other[start..end].iter().copied());
        }
        _ => {
            let end = (piece + 8 * (1 + random.below(3))).min(input.len());
            let again = input[piece..end].to_vec();
            input.splice(piece..piece, again);
        }
    }
}

/// Random numbers, as random as they need to be (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}
