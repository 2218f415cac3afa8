//! `cargo xtask platforms`: what of the host can be had on which system, found out by doing it.
//!
//! Linux on x86-64 is this machine, and is tested; so is Linux on x86 with 32 bits, where the kernel
//! runs such programs. Linux on aarch64 is tested under qemu-user. All other targets are compiled
//! only: the native layer is built, down to the guard's assembly, and the host with wasmtime is
//! checked as far as it goes. Nothing of them runs here.
//!
//! What a full run found is kept in `docs/platforms.json`; README's table is made from it, and a
//! test holds the one to the other. A run that finds less than is recorded fails; `--write` makes
//! the record what was found.
//!
//! The tools are Debian's (see `cross`) and, as a C compiler for macOS, PyPI's ziglang. All of
//! it is kept in the cache directory, nothing is installed. So is what is built: a run that was
//! killed goes on where it was, and a second one takes a few minutes.

mod cross;
mod hold;
mod left_out;
mod record;
mod targets;

use crate::apt::Unavailable;
use crate::test::{Pass, pass};
use crate::workspace::{cargo, run as run_command, say, since, spoken, target_dir};
use anyhow::{Context, Result, bail};
use cross::Cross;
use left_out::LEFT_OUT;
use record::{Found, Record};
use std::process::Command;
use std::time::{Duration, Instant};
use targets::{Native, TARGETS, Target};

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The native layer on a few targets.
    Quick,
    /// The native layer on every target.
    Native,
    /// The host with wasmtime as well.
    Whole,
}

/// Goes through the targets and tells whether each is at least what the record says it is. With
/// `write`, the record and README become what was found.
///
/// A quick run on a machine that can't have the tools, because it is no Debian, says so and is
/// good: it is part of what every change is held to, on every machine.
///
/// # Errors
///
/// The compilers can't be had, or the record not be read or written.
pub fn run(extent: Extent, write: bool) -> Result<bool> {
    let start = Instant::now();
    let cross = match Cross::ensure() {
        Err(error) if extent == Extent::Quick && error.is::<Unavailable>() => {
            say(format_args!("platforms: skipped: {error}"));
            return Ok(true);
        }
        other => other?,
    };
    let _one_at_a_time = hold::hold(&cross)?;
    let chosen = TARGETS.iter().filter(|target| target.quick || extent != Extent::Quick);
    let mut rows: Vec<_> = chosen.map(Row::new).collect();
    let hosts = |row: &Row| extent == Extent::Whole && row.target.host.is_some();
    let mut steps = Steps { done: 0, all: rows.len() + rows.iter().filter(|r| hosts(r)).count() };
    for row in &mut rows {
        steps.next();
        row.native(&cross);
    }
    for row in rows.iter_mut().filter(|row| hosts(row)) {
        steps.next();
        row.host(&cross);
    }
    report(&rows, start);
    let recorded = Record::read()?;
    let mut good = rows.iter().all(|row| row.failures.is_empty());
    let mut found: Vec<_> = rows.iter().map(Row::found).collect();
    if extent != Extent::Whole {
        // What wasn't looked at is as it was.
        for found in &mut found {
            found.host = recorded.host_of(&found.target);
        }
    }
    if !write {
        for less in found.iter().filter_map(|found| recorded.exceeds(found)) {
            say(less);
            good = false;
        }
    }
    if write {
        if rows.iter().filter_map(|row| row.tests.as_ref()).any(|tests| !tests.succeeded) {
            bail!("tests failed: docs/platforms.json stays as it is");
        }
        record::write(&found)?;
        say("docs/platforms.json and README.md are what was found");
    }
    Ok(good)
}

/// Is README's table what was recorded?
///
/// # Errors
///
/// It isn't, or one of the two can't be read.
pub fn check_readme() -> Result<()> {
    record::check_readme()
}

/// How far a run has come.
struct Steps {
    done: usize,
    all: usize,
}

impl Steps {
    fn next(&mut self) {
        self.done += 1;
        say(format_args!("platforms: step {} of {}", self.done, self.all));
    }
}

/// What came of one target.
struct Row {
    target: &'static Target,
    built: bool,
    checked: bool,
    tests: Option<Pass>,
    /// The guard's, watching two signals.
    two_signals: Option<Pass>,
    failures: Vec<String>,
    took: Duration,
}

impl Row {
    fn new(target: &'static Target) -> Row {
        let (failures, took) = (Vec::new(), Duration::ZERO);
        let (tests, two_signals) = (None, None);
        Row { target, built: false, checked: false, tests, two_signals, failures, took }
    }

    /// Does a part of the work and says how it went.
    fn step(&mut self, what: &str, work: impl FnOnce(&mut Row) -> Result<()>) -> bool {
        let triple = self.target.triple;
        say(format_args!("{triple}: {what} …"));
        let start = Instant::now();
        let result = work(self);
        self.took += start.elapsed();
        say(format_args!("{triple}: {what}: {}", since(start)));
        if let Err(e) = &result {
            say(format_args!("{triple}: {what}: {e:#}"));
            self.failures.push(what.to_owned());
        }
        result.is_ok()
    }

    /// Tests the native layer, or builds it.
    fn native(&mut self, cross: &Cross) {
        const LAYER: [&str; 4] = ["--package", "iommap", "--no-default-features", "--lib"];
        const TESTS: [&str; 2] = ["--tests", "--no-fail-fast"];
        let triple = self.target.triple;
        match self.target.native {
            Native::TestedHere => {
                let mut native = cargo();
                native.arg("test").args(LAYER).args(TESTS);
                self.step("native tests", |row| row.test(native));
                self.built = self.any_test_passed();
                self.step("the guard's tests, two signals", Row::test_two_signals);
            }
            Native::TestedEmulated => {
                self.step("native tests, under qemu-user", |row| {
                    let mut native = cross.cargo("test", triple)?;
                    native.args(LAYER).args(TESTS).arg("--");
                    for (name, _) in LEFT_OUT {
                        native.args(["--skip", name]);
                    }
                    row.test(native)
                });
                self.built = self.any_test_passed();
            }
            Native::TestedIn32Bits if cross.runs_32_bits().unwrap_or(true) => {
                self.step("native tests, in 32 bits", |row| {
                    let mut native = cross.cargo("test", triple)?;
                    native.args(LAYER).args(TESTS);
                    row.test(native)
                });
                self.built = self.any_test_passed();
            }
            Native::TestedIn32Bits | Native::Built => {
                if self.target.native == Native::TestedIn32Bits {
                    say(format_args!("{triple}: this kernel runs no programs of 32 bits"));
                }
                self.built = self.step("native layer", |_| {
                    run_command(cross.cargo("build", triple)?.args(LAYER))
                });
            }
        }
    }

    fn any_test_passed(&self) -> bool {
        self.tests.as_ref().is_some_and(|tests| tests.counts.passed > 0)
    }

    fn test(&mut self, native: Command) -> Result<()> {
        let tests = self.tests.insert(pass(self.target.triple, native)?);
        if tests.succeeded { Ok(()) } else { bail!("{} failed", tests.counts.failed) }
    }

    /// The guard's tests once more, with SIGSEGV watched as well: what FreeBSD and OpenBSD do.
    fn test_two_signals(&mut self) -> Result<()> {
        const GUARD: [&str; 5] =
            ["guard_copy", "guard_signals", "guard_sigsegv", "guard_threads", "mapping_faults"];
        let mut native = cargo();
        native.args(["test", "--package", "iommap", "--no-default-features", "--no-fail-fast"]);
        native.args(GUARD.iter().flat_map(|name| ["--test", name]));
        native.env("RUSTFLAGS", "--cfg iommap_watch_sigsegv");
        native.env("CARGO_TARGET_DIR", target_dir().join("two-signals"));
        let tests = self.two_signals.insert(pass("two signals", native)?);
        if tests.succeeded { Ok(()) } else { bail!("{} failed", tests.counts.failed) }
    }

    /// Checks the host with wasmtime, as far as it goes.
    fn host(&mut self, cross: &Cross) {
        let Some(features) = self.target.host else { return };
        self.checked = self.step(&format!("host with `{features}`"), |row| {
            let mut host = cross.cargo("check", row.target.triple)?;
            host.args(["--package", "iommap", "--no-default-features", "--features", features]);
            cross.use_zig(&mut host, row.target)?;
            run_command(&mut host)
        });
    }

    fn found(&self) -> Found {
        Found {
            target: self.target.triple.to_owned(),
            native: self.built,
            host: self.checked.then(|| self.target.host.unwrap_or_default().to_owned()),
            tests: self.tests.as_ref().map_or(0, |tests| tests.counts.passed),
            left_out: if self.target.native == Native::TestedEmulated {
                LEFT_OUT.len() as u64
            } else {
                0
            },
        }
    }
}

fn report(rows: &[Row], start: Instant) {
    println!();
    println!("{:30} {:7} {:16} {:34} {:>12}", "target", "native", "host with", "tests", "time");
    for row in rows {
        let native = if row.built { "built" } else { "FAILED" };
        let host = match (row.target.host, row.checked) {
            (Some(features), true) => format!("checked: {features}"),
            (Some(features), false) if row.failures.iter().any(|what| what.contains("host")) => {
                format!("FAILED: {features}")
            }
            (Some(_), false) => "not asked".to_owned(),
            (None, _) if row.target.native == Native::TestedHere => "xtask test".to_owned(),
            (None, _) => "-".to_owned(),
        };
        let tests = match (&row.tests, row.target.native) {
            (Some(tests), how) => {
                let counts = tests.counts;
                let mut said = format!("{} passed, {} failed", counts.passed, counts.failed);
                if how == Native::TestedEmulated {
                    said += &format!(", {} left out", LEFT_OUT.len());
                }
                said
            }
            (None, Native::TestedHere | Native::TestedEmulated) => "FAILED".to_owned(),
            (None, _) if !row.built => "FAILED".to_owned(),
            (None, _) => "none: it can't run here".to_owned(),
        };
        let took = spoken(row.took);
        println!("{:30} {native:7} {host:16} {tests:34} {took:>12}", row.target.triple);
    }
    for counts in rows.iter().filter_map(|row| Some(row.two_signals.as_ref()?.counts)) {
        println!(
            "the guard's tests, SIGSEGV watched as on FreeBSD and OpenBSD: {} passed, {} failed",
            counts.passed, counts.failed
        );
    }
    for row in rows.iter().filter(|row| !row.target.note.is_empty()) {
        println!("{}: {}", row.target.triple, row.target.note);
    }
    println!("\nleft out under qemu-user:");
    for (name, why) in LEFT_OUT {
        println!("  {name}\n    {why}");
    }
    println!("xtask platforms: {} targets in {}", rows.len(), since(start));
}

/// The variable by which cargo is told something about a target.
fn variable(triple: &str, what: &str) -> String {
    format!("CARGO_TARGET_{}_{what}", triple.to_uppercase().replace('-', "_"))
}

/// A command that says nothing unless it fails.
fn quietly(command: &mut Command, why: &'static str) -> Result<()> {
    crate::workspace::output(command).map(drop).context(why)
}
